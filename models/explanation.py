"""Why a customer is in a segment: the features that made the nearest centre nearer than the next, in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.category import Column
from models.scorer import Scorer
from models.segment import Segment
from models.spread import Spread
from models.wording import beside, measure, measurer, number, per_cent, saying

MOST = 3  # reasons a person reads; the first one or two usually carry the margin
NOTICEABLE = 0.1  # quartile widths of the base by which a median must differ to be worth saying


class Reason(NamedTuple):
    """One feature's part in the decision; `contribution` is its part of the margin, largest first."""

    feature: str
    value: float
    segment_median: float
    base_median: float
    contribution: float
    says: str


class OutsideTraining(NamedTuple):
    """A value no training customer had: the model extrapolates, so read its answer with care."""

    feature: str
    value: float
    low: float
    high: float


class Typical(NamedTuple):
    """A feature in a segment: the medians, how a customer's value is measured, and the words around it.

    Of a word of a table's column they are not medians but shares: of members, and of all customers, who have it.
    """

    feature: str
    segment_median: float
    base_median: float
    measure: Callable[[float], str]
    said_before: str
    said_after: str
    in_words: bool = False  # what is measured may be any word, and not only a figure

    def says(self, value: float) -> str:
        return f"{self.said_before}{self.measure(value)}{self.said_after}"


class Explainer:
    """Says why, for one model. What depends on segment and feature only is prepared once, in `typical`."""

    def __init__(
        self, scorer: Scorer, segments: Sequence[Segment], base: Mapping[str, Spread], columns: Sequence[Column] = ()
    ) -> None:
        """`segments` in the order of the scorer's centres; `base` has the medians over all customers.

        `columns` are what the scorer's numbers are of, where customers came as a table: they then go by the names that
        the table gives them.
        """
        if columns:
            self.typical = [[_of_table(one, segment, segments, base) for one in columns] for segment in segments]
            return
        self.typical = [
            [_typical(name, segment.features[name].median, base[name].median) for name in scorer.features]
            for segment in segments
        ]

    def strongest(self, contributions: Sequence[float]) -> list[int]:
        """The features, as indices, that carried the decision: at most three, by contribution to the margin.

        Features that speak for the other segment are left out; one always speaks for this one, because the
        contributions add up to a margin that is not negative (on an exact tie the first feature is named).
        """
        order = sorted(range(len(contributions)), key=contributions.__getitem__, reverse=True)
        return [index for index in order[:MOST] if contributions[index] > 0] or order[:1]

    def strongest_of_many(self, contributions: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """The same for n customers at once; `contributions` has shape (n, d).

        The features, as indices, in order, and which of them carried the decision: shape (n, at most three) each.
        """
        order = np.argsort(-contributions, axis=1, kind="stable")[:, :MOST]
        speaking = np.take_along_axis(contributions, order, axis=1) > 0
        speaking[:, 0] = True
        return order, speaking

    def reasons(self, values: Sequence[float], nearest: int, contributions: Sequence[float]) -> list[Reason]:
        """Why a customer is in segment `nearest`; `values` and `contributions` in the order of the features."""
        return [
            Reason(
                feature=known.feature,
                value=values[index],
                segment_median=known.segment_median,
                base_median=known.base_median,
                contribution=round(contributions[index], 4),
                says=known.says(values[index]),
            )
            for index in self.strongest(contributions)
            for known in (self.typical[nearest][index],)
        ]


def _typical(feature: str, here: float, overall: float) -> Typical:
    before, after = saying(feature).split("{}")
    return Typical(feature, here, overall, measurer(feature), before, f"{after}; {beside(feature, here, overall)}")


def _of_table(column: Column, segment: Segment, segments: Sequence[Segment], base: Mapping[str, Spread]) -> Typical:
    name, feature, level = column
    if level is not None:
        return _of_words(column, level, segment, segments)
    here, overall = segment.features[name].median, base[name].median
    after = f"; typical here is {number(here)}, over all customers {number(overall)}"
    return Typical(name, here, overall, number, f"{feature} is ", after)


def _of_words(column: Column, level: str, segment: Segment, segments: Sequence[Segment]) -> Typical:
    """A word that customers have or have not; where there are but two words, who has not this one has the other."""
    words = {one.level for each in segments for one in each.categories[column.feature]}
    other = next(iter(words - {level})) if len(words) == 2 else f"not {level}"
    here, overall = _share([segment], column.feature, level), _share(segments, column.feature, level)

    def said(value: float) -> str:
        word, shares = (level, (here, overall)) if value else (other, (1 - here, 1 - overall))
        return f"{word}; so are {per_cent(round(shares[0], 2))} here, {per_cent(round(shares[1], 2))} of all customers"

    return Typical(column.name, round(here, 4), round(overall, 4), said, f"{column.feature} is ", "", in_words=True)


def _share(segments: Sequence[Segment], feature: str, level: str) -> float:
    """The share of the segments' members who have this word; who decides the segment by it always has one."""
    having = sum(one.customers for each in segments for one in each.categories[feature] if one.level == level)
    return having / sum(each.size for each in segments)


def outside_training(
    values: Mapping[str, float | str], ranges: Mapping[str, tuple[float, float]]
) -> list[OutsideTraining]:
    """The values that lie outside what the training customers had."""
    return [
        OutsideTraining(name, value, *ranges[name])
        for name, value in values.items()
        if name in ranges and not isinstance(value, str) and not ranges[name][0] <= value <= ranges[name][1]
    ]


def differences(
    segment: Mapping[str, Spread],
    base: Mapping[str, Spread],
    most: int = 4,
    say: Callable[[str, float], str] = measure,
) -> tuple[str, ...]:
    """Where a segment differs most from all customers, in words: medians apart by quartile widths of the base.

    `say` says a feature's value with its unit.
    """

    def distance(name: str) -> float:
        width = max(base[name].q3 - base[name].q1, 1e-9)
        return abs(segment[name].median - base[name].median) / width

    apart = sorted((name for name in segment if distance(name) > NOTICEABLE), key=distance, reverse=True)
    return tuple(
        f"{name.replace('_', ' ')}: {say(name, segment[name].median)}, over all customers "
        f"{say(name, base[name].median)}"
        for name in apart[:most]
    )
