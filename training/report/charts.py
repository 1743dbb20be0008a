"""The charts of a report. Each says in words what it shows, for those who cannot see it."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from models.customer_map import CustomerMap
from models.driver import Ranking
from models.evidence import Backtest, CalibrationBin, Candidate, Estimate, Selection
from models.habit import WEEKDAYS, Habits
from models.hit_rate import HitRates, RecommendationRecord, Share
from models.outcome import Outcome
from models.segment import Segment
from training.report.drawing import COLOURS, INK, LINE, MARKERS, SURFACE, drawn
from training.report.markup import Html

ROW = 0.34  # inches of height for a bar with its label
MOST_CHARACTERS = 26  # of a label beside a bar
BAR = 0.62
FEWEST_JUDGED = 30  # of fewer customers a bootstrap interval says nothing: of one it has no width
METHODS: Mapping[str, str] = {
    "popularity": "what sells most",
    "own_repeats": "what the customer bought before",
    "pair_affinity": "what goes with it",
    "recommender": "the recommender",
}


def colour(place: int) -> str:
    """The colour of the segment, family or the like at a place in its list."""
    return COLOURS[place % len(COLOURS)]


def families(candidates: Sequence[Candidate]) -> list[tuple[str, list[int]]]:
    """The candidates' indices by the way they are made, each way with its name; the numbers of segments rise in each.

    A way that comes once more under the same name is that of the model before with its own number of segments.
    """
    found: list[tuple[str, list[int]]] = []
    for index, one in enumerate(candidates):
        last = candidates[index - 1] if index else None
        if last is None or last.name != one.name or last.k >= one.k:
            found.append((one.name, []))
        found[-1][1].append(index)
    names = [name for name, _ in found]
    return [
        (f"{name}, as by the model before" if name in names[place + 1 :] else name, indices)
        for place, (name, indices) in enumerate(found)
    ]


def selection_chart(selection: Selection) -> Html:
    """Each way of making segments against the number of segments: what it tells, how stable it is, its smallest."""
    told = any(one.r_squared is not None for one in selection.candidates)
    panels: list[tuple[str, Callable[[Candidate], float | None]]] = [
        ("R² of later log revenue", lambda one: one.r_squared) if told else ("Silhouette", lambda one: one.silhouette),
        ("Stability", lambda one: one.stability),
        ("Smallest share", lambda one: one.smallest_share),
    ]
    ways = families(selection.candidates)

    def draw(figure: Figure) -> None:
        for axes, (title, value) in zip(figure.subplots(1, 3), panels, strict=True):
            axes.set_title(title)
            for place, (_, indices) in enumerate(ways):
                _way(axes, selection.candidates, indices, value, place)
            best = value(selection.winner)
            if best is not None:
                axes.plot(selection.winner.k, best, "o", markersize=13, markerfacecolor="none", markeredgecolor=INK)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
            axes.set_xlabel("segments")
            axes.grid(axis="y")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        handles = [_handle(axes, name, place) for place, (name, _) in enumerate(ways)]
        figure.legend(handles=handles, loc="outside lower left", ncols=1)

    winner = selection.winner
    says = (
        f"{len(selection.candidates)} candidates in {len(ways)} ways of making segments; chosen are {winner.k} "
        f"segments by {winner.name}, with stability {winner.stability:.2f} and a smallest share of "
        f"{winner.smallest_share:.1%}."
    )
    return drawn("selection", says, 2.9 + 0.2 * len(ways), draw)


def map_chart(points: CustomerMap, segments: Sequence[Segment]) -> Html:
    """Customers along the two components that show most of them, coloured by segment, numbered at its middle."""
    x, y, ids = np.array(points.x), np.array(points.y), np.array(points.segment_ids)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for place, segment in enumerate(segments):
            inside = ids == segment.id
            label = f"{place + 1} {segment.name}"
            axes.plot(x[inside], y[inside], MARKERS[place % len(MARKERS)], color=colour(place), markersize=3.4,
                      markeredgewidth=0, alpha=0.7, label=_short(label))  # fmt: skip
        for place, segment in enumerate(segments):
            inside = ids == segment.id
            if inside.any():
                box = {"boxstyle": "circle,pad=0.25", "facecolor": SURFACE, "edgecolor": colour(place), "linewidth": 2}
                axes.text(float(np.median(x[inside])), float(np.median(y[inside])), str(place + 1), bbox=box,
                          ha="center", va="center", weight="bold")  # fmt: skip
        axes.set_xlabel(_component(points, 0))
        axes.set_ylabel(_component(points, 1))
        axes.set_xticks([])
        axes.set_yticks([])
        figure.legend(loc="outside right upper", markerscale=2)

    says = (
        f"{len(x):,} customers as points, coloured by segment. The two directions carry "
        f"{sum(points.explained):.0%} of how customers differ in what decides their segment."
    )
    return drawn("map", says, 4.6, draw)


def backtest_chart(backtest: Backtest, name: str) -> Html:
    """AUC and R² of the segments, of the quintile groups and of the limit, with intervals, from chance on."""
    scores = (backtest.model, backtest.baseline, backtest.limit)
    labels = [f"These {backtest.model.segments} segments", "RFM quintiles", "Limit: boosted trees"]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, title, chance, estimates in (
            (left, "AUC: who buys again", 0.5, [one.auc for one in scores]),
            (right, "R²: for how much (log revenue)", 0.0, [one.r_squared for one in scores]),
        ):
            _bars(axes, labels, estimates, COLOURS[:2] + COLOURS[6:7], start=chance)
            axes.axvline(chance, color=INK, linewidth=1)
            low = min(one.low for one in estimates)
            axes.set_xlim(min(chance, low - 0.02), max(max(one.high for one in estimates) * 1.08, chance + 0.1))
            axes.set_title(title)
            axes.set_xlabel(f"{chance:g} is chance")

    model, baseline, limit = scores
    says = (
        f"AUC {model.auc.value:.2f} for the segments, {baseline.auc.value:.2f} for RFM quintiles, "
        f"{limit.auc.value:.2f} for boosted trees; R² {model.r_squared.value:.2f}, {baseline.r_squared.value:.2f} and "
        f"{limit.r_squared.value:.2f}."
    )
    return drawn(name, says, 1.0 + 3 * ROW, draw)


def outcome_chart(segments: Sequence[Segment], outcomes: Sequence[Outcome], bought_share: float) -> Html:
    """What members did in the days after the cut-off: the share who bought again, and the revenue of each."""
    labels = [segment.name for segment in segments]
    colours = [colour(place) for place in range(len(segments))]

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        judged = [one.customers >= FEWEST_JUDGED for one in outcomes]
        _bars(left, labels, [one.bought_again for one in outcomes], colours, judged=judged)
        left.axvline(bought_share, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        left.set_title("Bought again")
        left.set_xlabel("dashed: all customers")
        left.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        left.set_xlim(0, 1)
        _bars(right, labels, [one.revenue_per_customer for one in outcomes], colours, judged=judged)
        right.set_title("Revenue per customer")
        right.xaxis.set_major_locator(MaxNLocator(5))
        right.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))

    says = "Bought again: " + ", ".join(
        f"{segment.name} {one.bought_again.value:.0%}" for segment, one in zip(segments, outcomes, strict=True)
    )
    return drawn("outcomes", f"{says}; all customers {bought_share:.0%}.", 1.0 + ROW * len(segments), draw)


def calibration_chart(bins: Sequence[CalibrationBin]) -> Html:
    """The confidence that was said against the share of customers who kept their segment."""
    said, kept = [one.said for one in bins], [one.kept for one in bins]
    low = min(0.9, *said, *kept) - 0.02

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([low, 1], [low, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(said, kept, "o", color=COLOURS[0], markersize=7, alpha=0.8, clip_on=False)
        axes.set_xlabel("confidence said, mean of a tenth of the customers")
        axes.set_ylabel("share who kept their segment")
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid()

    worst = max(bins, key=lambda one: abs(one.said - one.kept))
    says = (
        f"Said and kept are at most {100 * abs(worst.said - worst.kept):.1f} points apart in a tenth of the customers."
    )
    return drawn("calibration", says, 3.0, draw)


def driver_chart(ranking: Ranking, name: str) -> Html:
    """The features by importance, with how far single shuffles strayed."""
    labels = [one.feature.replace("_", " ") for one in ranking.drivers]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        values = [one.importance for one in ranking.drivers]
        axes.barh(labels, values, height=BAR, color=COLOURS[0], xerr=[one.deviation for one in ranking.drivers],
                  error_kw={"ecolor": INK, "elinewidth": 1.2})  # fmt: skip
        axes.invert_yaxis()
        axes.axvline(0, color=INK, linewidth=1)
        axes.grid(axis="x")
        axes.tick_params(length=0)

    first = ", ".join(labels[:3])
    return drawn(name, f"What drives {ranking.drives}: first {first}.", 0.6 + 0.28 * len(labels), draw)


def hit_rate_chart(record: RecommendationRecord) -> Html:
    """How often a list of products has one that was then bought, by method."""

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, 2, sharey=True)
        for axes, title, rates in (
            (panels[0], "All products", record.all),
            (panels[1], "New to the customer", record.new),
        ):
            known = rates_of(rates)
            for place, (_, rate) in enumerate(known):
                if rate is not None:
                    _bar(axes, place, rate, COLOURS[0] if place == len(known) - 1 else COLOURS[6], 0.0)
            axes.set_yticks(range(len(known)), [label for label, _ in known])
            axes.set_title(title)
            axes.set_xlim(0, 1)
            axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            _quiet(axes)
        panels[0].invert_yaxis()

    says = (
        f"At least one of {record.at} recommended products was bought in {record.all.recommender.value:.0%} of orders, "
        f"of what sells most in {record.all.popularity.value:.0%}."
    )
    return drawn("hits", says, 0.8 + 4 * ROW, draw)


def rates_of(rates: HitRates) -> list[tuple[str, Share | None]]:
    """The methods in words with their hit rates, from the plainest to the recommender."""
    return [(label, getattr(rates, name)) for name, label in METHODS.items()]


def habit_chart(segment: Segment, habits: Habits, place: int) -> Html:
    """When members order: weekdays, and hours where the data has times."""

    def draw(figure: Figure) -> None:
        hours = habits.orders_by_hour
        panels = figure.subplots(1, 2 if hours else 1, squeeze=False)[0]
        panels[0].bar([day[:3] for day in WEEKDAYS], habits.orders_by_weekday, color=colour(place), width=0.7)
        panels[0].set_title("Orders by weekday")
        if hours:
            panels[1].bar(range(24), hours, color=colour(place), width=0.8)
            panels[1].set_title("Orders by hour")
            panels[1].set_xticks(range(0, 24, 4))
        for axes in panels:
            axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axes.grid(axis="y")
            axes.tick_params(axis="x", length=0)

    says = f"{segment.name} order most on {habits.best_weekday.weekday}s"
    if habits.best_hour:
        says += f" and from {habits.best_hour.hour}:00 to {habits.best_hour.hour}:59"
    return drawn(f"habits-{segment.id}", f"{says}.", 1.7, draw)


def _way(
    axes: Axes, candidates: Sequence[Candidate], indices: Sequence[int],
    value: Callable[[Candidate], float | None], place: int,
) -> None:  # fmt: skip
    """One way as a line; candidates that were excluded are hollow."""
    way = [candidates[index] for index in indices]
    known = [(one.k, found, one.excluded) for one in way if (found := value(one)) is not None]
    axes.plot([k for k, _, _ in known], [found for _, found, _ in known], color=colour(place), alpha=0.7)
    for k, found, excluded in known:
        axes.plot(k, found, MARKERS[place % len(MARKERS)], color=colour(place), markersize=5.5,
                  markerfacecolor=SURFACE if excluded else colour(place))  # fmt: skip


def _handle(axes: Axes, name: str, place: int) -> Line2D:
    return axes.plot([], [], MARKERS[place % len(MARKERS)] + "-", color=colour(place), label=name)[0]


def _component(points: CustomerMap, which: int) -> str:
    """The direction in words: the features that weigh most in it, with their signs."""
    weights = [loading[which] for loading in points.loadings]
    strongest = sorted(range(len(weights)), key=lambda index: -abs(weights[index]))[:3]
    said = ", ".join(
        f"{'more' if weights[index] > 0 else 'less'} {points.features[index].replace('_', ' ')}"
        for index in strongest
        if abs(weights[index]) > 0.2
    )
    return f"{said} → ({points.explained[which]:.0%})"


def _bars(
    axes: Axes, labels: Sequence[str], estimates: Sequence[Estimate], colours: Sequence[str],
    start: float = 0.0, judged: Sequence[bool] | None = None,
) -> None:  # fmt: skip
    for place, (estimate, shade) in enumerate(zip(estimates, colours, strict=True)):
        _bar(axes, place, estimate, shade, start, interval=judged is None or judged[place])
    axes.set_yticks(range(len(labels)), [_short(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    _quiet(axes)


def _bar(axes: Axes, place: int, estimate: Estimate | Share, shade: str, start: float, interval: bool = True) -> None:
    """A bar from `start` to the figure, with its 95 % interval."""
    axes.barh(place, estimate.value - start, left=start, height=BAR, color=shade)
    if interval:
        axes.plot([estimate.low, estimate.high], [place, place], color=INK, linewidth=1.6, solid_capstyle="butt")
        axes.plot([estimate.low, estimate.high], [place, place], "|", color=INK, markersize=7, markeredgewidth=1.6)


def _quiet(axes: Axes) -> None:
    axes.grid(axis="x")
    axes.tick_params(length=0)
    axes.spines["left"].set_color(LINE)


def _short(label: str) -> str:
    return label if len(label) <= MOST_CHARACTERS else f"{label[: MOST_CHARACTERS - 1]}…"
