"""Why a customer is in a segment: the features that made the nearest centre nearer than the next, in words."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from models.scorer import Placement
from models.segment import Segment, Spread
from models.wording import measure, statement

MOST = 3  # reasons a person reads; the first one or two usually carry the margin


class Reason(NamedTuple):
    """One feature's part in the decision; `contribution` is its share of the margin, largest first."""

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


def reasons(
    names: Sequence[str],
    values: Sequence[float],
    placement: Placement,
    segment: Segment,
    base: Mapping[str, Spread],
) -> list[Reason]:
    """At most three reasons, by contribution to the margin between the nearest and the second segment.

    Features that speak for the other segment are left out; one always speaks for this one, because the
    contributions add up to a margin that is not negative (on an exact tie the first feature is named).
    """
    order = sorted(range(len(names)), key=lambda index: -placement.contributions[index])
    chosen = [index for index in order[:MOST] if placement.contributions[index] > 0] or order[:1]
    found = []
    for index in chosen:
        name, value = names[index], values[index]
        here, overall = segment.features[name].median, base[name].median
        found.append(
            Reason(
                name,
                value,
                here,
                overall,
                round(placement.contributions[index], 4),
                statement(name, value, here, overall),
            )
        )
    return found


def outside_training(values: Mapping[str, float], ranges: Mapping[str, tuple[float, float]]) -> list[OutsideTraining]:
    """The values that lie outside what the training customers had."""
    return [
        OutsideTraining(name, value, *ranges[name])
        for name, value in values.items()
        if name in ranges and not ranges[name][0] <= value <= ranges[name][1]
    ]


def differences(segment: Mapping[str, Spread], base: Mapping[str, Spread], most: int = 4) -> tuple[str, ...]:
    """Where a segment differs most from all customers, in words: medians apart by quartile widths of the base."""

    def distance(name: str) -> float:
        width = max(base[name].q3 - base[name].q1, 1e-9)
        return abs(segment[name].median - base[name].median) / width

    known = [name for name in segment if name in base]
    apart = sorted((name for name in known if distance(name) > 0.1), key=distance, reverse=True)
    return tuple(
        f"{name.replace('_', ' ')}: {measure(name, segment[name].median)}, over all customers "
        f"{measure(name, base[name].median)}"
        for name in apart[:most]
    )
