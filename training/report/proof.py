"""What speaks for the segments, in a report: the back-test, stability, calibration, the choice, features, products."""

from collections.abc import Iterator

from models.driver import Ranking
from models.evidence import Backtest, Candidate, Score
from models.hit_rate import RecommendationRecord
from models.wording import per_cent
from training.report.charts import (
    backtest_chart,
    calibration_chart,
    driver_chart,
    hit_rate_chart,
    outcome_chart,
    rates_of,
    selection_chart,
)
from training.report.markup import Html, figure, folded, joined, note, paragraph, table, tag
from training.report.subject import Subject
from training.report.summary import compared, estimate, preset_says, stability_says

INTERVALS = "Lines: 95 % intervals, by bootstrap over customers."
MEASURES = (
    "AUC and R²: of the back-test. τ: Kendall's rank correlation of the segments' order by revenue before the cut-off "
    "and after. Stability: mean adjusted Rand index of refits. Silhouette is better higher, Davies-Bouldin lower; "
    "compare them within one way of making segments only."
)


def later(subject: Subject) -> Html:
    """Whether the segments tell of later purchases, or why that could not be tried."""
    backtests = subject.evidence.backtests
    if not backtests:
        why = subject.evidence.unproved or ("There was no history to try the segments on.",)
        return joined(*[note(one, kind="warning") for one in why])
    parts = [_backtest(one, f"backtest{place}") for place, one in enumerate(backtests)]
    pairs = [(segment, segment.outcome) for segment in subject.segments if segment.outcome]
    if pairs:
        segments, outcomes = [one for one, _ in pairs], [one for _, one in pairs]
        picture = outcome_chart(segments, outcomes, backtests[0].bought_share)
        caption = (
            f"What the members of each segment did in the {outcomes[0].horizon} days after "
            f"{outcomes[0].cut_off:%Y-%m-%d}, by a model that knew no more than was known then. {INTERVALS}"
        )
        parts.append(figure(picture, caption))
    parts += [note(one, kind="warning") for one in subject.evidence.unproved]
    return joined(*parts)


def stability(subject: Subject) -> Html:
    """Whether the segments stay themselves, and whether a confidence is kept."""
    parts = [paragraph(stability_says(subject))]
    bins = subject.evidence.calibration
    if bins:
        caption = (
            "Each point is a tenth of the customers, by the confidence of their assignment. On the dashed line as many "
            "keep their segment in refits as was said."
        )
        parts.append(figure(calibration_chart(bins), caption))
    else:
        parts.append(note("How far a confidence can be trusted was not measured."))
    return joined(*parts)


def choice(subject: Subject) -> Html:
    """How many segments, and made how: the candidates, the rule and the reason."""
    selection = subject.manifest.selection
    preset = preset_says(subject)
    caption = "Filled: sound by the rule. Hollow: excluded. The ring marks the chosen one."
    parts = [
        *([note(preset, kind="warning")] if preset else []),
        paragraph(tag("strong", "Chosen: "), selection.reason),
        paragraph(tag("strong", "The rule: "), selection.rule),
        figure(selection_chart(selection), caption),
        folded(
            f"All {len(selection.candidates)} candidates",
            _candidates("Candidates", selection.candidates, selection.chosen),
            paragraph(MEASURES),
        ),
    ]
    if selection.compared:
        caption = "Other algorithms at the chosen number of segments; not chosen from"
        parts.append(folded("Other algorithms, for comparison", _candidates(caption, selection.compared, None)))
    return joined(*parts)


def features(subject: Subject) -> Html:
    """What drives the segment and the purchases, ranked."""
    return joined(*[_ranking(one, f"drivers{place}") for place, one in enumerate(subject.manifest.drivers)])


def products(record: RecommendationRecord | None) -> Html:
    """How often recommended products are bought."""
    if record is None:
        return note("The data names no products that could be recommended, so nothing was measured.")
    rows = [
        (label, estimate(of_all, percent=True) if of_all else "–", estimate(of_new, percent=True) if of_new else "–")
        for (label, of_all), (_, of_new) in zip(rates_of(record.all), rates_of(record.new), strict=True)
    ]
    caption = (
        f"Share of {record.all.customers:,} customers whose last order, held out, has at least one of {record.at} "
        f"recommended products; new to the customer: of {record.new.customers:,}. {INTERVALS}"
    )
    return joined(
        *[paragraph(sentence) for sentence in _times_popularity(record)],
        figure(hit_rate_chart(record), caption),
        table("Hit rates", ("Method", "All products", "New to the customer"), rows),
        paragraph(tag("small", record.rule)),
    )


def _times_popularity(record: RecommendationRecord) -> Iterator[str]:
    """How many times as often as what sells most; nothing where that is never bought."""
    if record.all.times_popularity:
        yield f"The recommender hits {estimate(record.all.times_popularity)} times as often as what sells most."
    if record.new.times_popularity:
        yield (
            f"Of products new to the customer it hits {estimate(record.new.times_popularity)} times as often as what "
            "sells most."
        )


def _backtest(backtest: Backtest, name: str) -> Html:
    parts = []
    if not backtest.beyond_chance:
        parts.append(note("The segments predict nothing beyond chance: an interval below reaches it.", kind="warning"))
    parts.append(paragraph(backtest.says, " ", compared(backtest)))
    caption = (
        f"Fitted on what was known on {backtest.cut_off:%Y-%m-%d}, judged by the {backtest.horizon} days after it; "
        f"each customer is foretold by other customers of the same segment. {INTERVALS}"
    )
    rows = [_score(one) for one in (backtest.model, backtest.baseline, backtest.limit)]
    head = ("Way", "Segments", "AUC", "R²", "Kendall's τ")
    return joined(*parts, figure(backtest_chart(backtest, name), caption), table("Back-test", head, rows))


def _score(score: Score) -> tuple[str, str, str, str, str]:
    return (
        score.method,
        "–" if score.segments is None else str(score.segments),
        estimate(score.auc),
        estimate(score.r_squared),
        _figure(score.kendall, 2),
    )


def _candidates(caption: str, candidates: tuple[Candidate, ...], chosen: int | None) -> Html:
    tested = any(one.auc is not None for one in candidates)
    told = ("AUC", "R²", "τ") if tested else ()
    head = ("Way", "Segments", *told, "Stability", "Silhouette", "Davies-Bouldin", "Smallest", "")
    rows = []
    for place, one in enumerate(candidates):
        figures = (_figure(one.auc, 3), _figure(one.r_squared, 3), _figure(one.kendall, 2)) if tested else ()
        rows.append(
            (
                one.name if one.algorithm == "k-means" else f"{one.algorithm}, {one.name}",
                str(one.k),
                *figures,
                f"{one.stability:.2f}",
                f"{one.silhouette:.2f}",
                f"{one.davies_bouldin:.2f}",
                per_cent(one.smallest_share),
                tag("strong", "chosen") if place == chosen else one.excluded or "",
            )
        )
    return table(caption, head, rows, texts=[len(head) - 1])


def _ranking(ranking: Ranking, name: str) -> Html:
    quality = "" if ranking.quality is None else f" The boosted model behind it reaches {ranking.quality:.2f}."
    together = [
        f"{one.feature.replace('_', ' ')} with {', '.join(other.replace('_', ' ') for other in one.moves_with)}"
        for one in ranking.drivers
        if one.moves_with
    ]
    shared = f" They move together, and share importance: {'; '.join(together)}." if together else ""
    caption = (
        f"Bars: {ranking.measure}; of {ranking.customers:,} customers. Lines: standard deviation over the shuffles."
        f"{quality}"
    )
    return joined(
        tag("h3", f"What drives {ranking.drives}"),
        figure(driver_chart(ranking, name), caption),
        folded("How it was measured", paragraph(f"{ranking.method}{shared}")),
    )


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
