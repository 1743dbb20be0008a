"""The summary of a report: a few sentences, the sober ones included."""

from collections.abc import Iterator

from models.evidence import LEAST_EXPLAINED, Backtest, Estimate
from models.hit_rate import Share
from models.segment import Segment
from models.wording import number, per_cent
from training.report.markup import Html, bullets, joined, note, paragraph, tag
from training.report.subject import Subject

FEWEST_TOLD = 5  # what fewer customers have in common is said of persons, not of groups
WEAK = 0.6  # a segment with a lesser Jaccard overlap is hardly there (Hennig 2007)


def summary(subject: Subject) -> Html:
    """How many segments, who is worth what, whether they predict, whether they stay, and what to beware of."""
    return joined(_alarms(subject), bullets(_sentences(subject)))


def estimate(figure: Estimate | Share, percent: bool = False) -> str:
    """A figure with its interval."""
    ends = (figure.value, figure.low, figure.high)
    # adding 0 makes -0 a plain 0
    said = [f"{round(100 * one) + 0:.0f} %" if percent else f"{round(one, 2) + 0:.2f}" for one in ends]
    return f"{said[0]} ({said[1]} to {said[2]})"


def compared(backtest: Backtest) -> str:
    """The segments beside the quintile groups and the limit, without more praise than the intervals allow."""
    model, baseline, limit = backtest.model, backtest.baseline, backtest.limit
    said = (
        f"Beside the {baseline.segments or ''} groups of RFM quintiles that marketing tools ship, R² is "
        f"{model.r_squared.value:.2f} against {baseline.r_squared.value:.2f} "
        f"({_difference(model.r_squared, baseline.r_squared)}), AUC {model.auc.value:.2f} against "
        f"{baseline.auc.value:.2f} ({_difference(model.auc, baseline.auc)})."
    )
    if limit.r_squared.value >= LEAST_EXPLAINED and limit.auc.value - 0.5 >= LEAST_EXPLAINED:
        said += (
            f" Boosted trees on all features, which nobody could act on, reach {limit.r_squared.value:.2f} and "
            f"{limit.auc.value:.2f}: the segments keep {max(model.r_squared.value, 0) / limit.r_squared.value:.0%} of "
            f"that R² and {max(model.auc.value - 0.5, 0) / (limit.auc.value - 0.5):.0%} of that AUC above chance."
        )
    return said


def preset_says(subject: Subject) -> str | None:
    """Why the preset is, or is not, what the back-test would take; None without a preset."""
    if subject.preset is None:
        return None
    chosen, other = subject.manifest.selection.winner, subject.best_other
    said = f"These segments are the preset “{subject.preset}”: they were asked for by name, not chosen by the figures."
    if other is None:
        return f"{said} There is no back-test to compare them by."
    told, beside = chosen.r_squared or 0.0, other.r_squared or 0.0
    figures = (
        f"{other.k} segments by {other.name} tell R² {beside:.3f} and AUC {other.auc or 0.5:.3f}; the preset's "
        f"{chosen.k} tell R² {told:.3f} and AUC {chosen.auc or 0.5:.3f}"
    )
    if beside <= told:
        return f"{said} Of the standard ways none tells more: {figures}."
    more = f"{beside / told:.1f} times as much" if told > LEAST_EXPLAINED else f"{max(beside, 0.0):.0%}"
    least = "" if told > LEAST_EXPLAINED else ", of which the preset explains nothing"
    flaw = f" Nor is the preset sound: {chosen.excluded}." if chosen.excluded else ""
    return (
        f"{said} The back-test speaks against them: {figures}. The default explains {more} of the log revenue that "
        f"comes later{least}.{flaw} Without a preset, training makes the default."
    )


def _alarms(subject: Subject) -> Html:
    evidence = subject.evidence
    alarms = [*evidence.unproved, *subject.warnings]
    if evidence.beyond_chance is False:
        alarms.insert(
            0,
            "The segments predict nothing beyond chance: what their members did later does not differ for certain from "
            "what all customers did. They describe the past; do not expect them to say who will buy.",
        )
    flaw = subject.manifest.selection.winner.excluded
    if flaw and subject.preset is None:
        alarms.append(f"No way of making segments was sound by the rule. Of the one taken: {flaw}.")
    few = [segment.name for segment in subject.segments if segment.size < FEWEST_TOLD]
    if few:
        alarms.append(
            f"Fewer than {FEWEST_TOLD} customers each are in: {', '.join(few)}. What is said of them is said of single "
            "customers, so treat this report as personal data."
        )
    preset = preset_says(subject)
    return joined(*[note(one, kind="warning") for one in [*([preset] if preset else []), *alarms]])


def _sentences(subject: Subject) -> Iterator[Html]:
    manifest, segments = subject.manifest, subject.segments
    yield joined(
        tag("strong", f"{len(segments)} segments of {manifest.customers:,} customers"),
        f", by what was known on {manifest.as_of:%d %B %Y}".replace(" 0", " ")
        if manifest.source == "transactions"
        else ", one row of a table each",
        ".",
    )
    first, last = segments[0], segments[-1]
    if first.revenue_per_customer is not None and last.revenue_per_customer is not None:
        yield joined(
            tag("strong", first.name),
            f" are worth most: {_how_many(first)}, {_share_of_revenue(first)}"
            f"{number(first.revenue_per_customer)} each. ",
            tag("strong", last.name),
            f" are worth least: {_how_many(last)}, {_share_of_revenue(last)}{number(last.revenue_per_customer)} each.",
        )
    else:
        yield joined(tag("strong", first.name), f" are the most: {_how_many(first)}.")
    for backtest in subject.evidence.backtests:
        lead = "They tell who buys later." if backtest.beyond_chance else "They do not tell who buys later."
        yield joined(tag("strong", lead), " ", backtest.says, " ", compared(backtest))
    if not subject.evidence.backtests:
        yield joined(tag("strong", "Whether they tell who buys later is not known."), " There is no back-test.")
    flaw = subject.manifest.selection.winner.excluded or ""
    shaky = bool(subject.evidence.stability.weak) or flaw.startswith("stability")
    lead = "They do not all stay the same when made anew." if shaky else "They stay much the same when made anew."
    yield joined(tag("strong", lead), " ", stability_says(subject))


def stability_says(subject: Subject) -> Html:
    """How far the segments stay themselves, with the weak ones by name."""
    stability = subject.evidence.stability
    said = (
        f"Fitted anew to {stability.refits} resamples of the customers, the segments agree with these to an adjusted "
        f"Rand index of {estimate(stability.ari)}, where 1 is the same and 0 is chance."
    )
    if stability.halves is not None:
        said += f" Two fits on two halves of the customers place {stability.halves:.0%} of them alike."
    weak = [segment.name for segment in subject.segments if segment.id in stability.weak]
    if weak:
        said += f" Hardly there, because resamples seldom find them again: {', '.join(weak)}."
    return joined(said)


def lead(subject: Subject) -> Html:
    """What the page is, in a line."""
    manifest = subject.manifest
    files = ", ".join(one.name for one in manifest.data)
    return paragraph(f"Model {subject.model.version}, made from {files}.")


def _difference(one: Estimate, other: Estimate) -> str:
    """Which is more, where their intervals are apart."""
    if one.low > other.high:
        return "clearly more"
    if one.high < other.low:
        return "clearly less"
    return "the intervals overlap"


def _share_of_revenue(segment: Segment) -> str:
    return "" if segment.revenue_share is None else f"and {per_cent(segment.revenue_share)} of net revenue, "


def _how_many(segment: Segment) -> str:
    return f"{segment.size:,} customer{'' if segment.size == 1 else 's'}, {per_cent(segment.share)} of all"
