"""Why a customer is in a segment: the features that made the nearest centre nearer than the next, in words."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.scorer import Scorer
from models.segment import Segment, Spread
from models.wording import beside, measure, measurer, saying

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
    """A feature in a segment: the medians, how a customer's value is measured, and the words around it."""

    feature: str
    segment_median: float
    base_median: float
    measure: Callable[[float], str]
    said_before: str
    said_after: str

    def says(self, value: float) -> str:
        return f"{self.said_before}{self.measure(value)}{self.said_after}"


class Explainer:
    """Says why, for one model. What depends on segment and feature only is prepared once, in `typical`."""

    def __init__(self, scorer: Scorer, segments: Sequence[Segment], base: Mapping[str, Spread]) -> None:
        """`segments` in the order of the scorer's centres; `base` has the medians over all customers."""
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

    def strongest_of_many(self, contributions: NDArray[np.float64]) -> list[list[int]]:
        """The same for n customers at once; `contributions` has shape (n, d)."""
        order = np.argsort(-contributions, axis=1, kind="stable")[:, :MOST]
        speaking = np.maximum((np.take_along_axis(contributions, order, axis=1) > 0).sum(axis=1), 1)
        return [row[:count] for row, count in zip(order.tolist(), speaking.tolist(), strict=True)]

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


def outside_training(
    values: Mapping[str, float | str], ranges: Mapping[str, tuple[float, float]]
) -> list[OutsideTraining]:
    """The values that lie outside what the training customers had."""
    return [
        OutsideTraining(name, value, *ranges[name])
        for name, value in values.items()
        if name in ranges and not isinstance(value, str) and not ranges[name][0] <= value <= ranges[name][1]
    ]


def differences(segment: Mapping[str, Spread], base: Mapping[str, Spread], most: int = 4) -> tuple[str, ...]:
    """Where a segment differs most from all customers, in words: medians apart by quartile widths of the base."""

    def distance(name: str) -> float:
        width = max(base[name].q3 - base[name].q1, 1e-9)
        return abs(segment[name].median - base[name].median) / width

    apart = sorted((name for name in segment if distance(name) > NOTICEABLE), key=distance, reverse=True)
    return tuple(
        f"{name.replace('_', ' ')}: {measure(name, segment[name].median)}, over all customers "
        f"{measure(name, base[name].median)}"
        for name in apart[:most]
    )
