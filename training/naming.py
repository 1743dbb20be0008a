"""Names for segments: the archetype each segment's place in recency, frequency and monetary comes nearest to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

# The customary names of RFM marketing, each with where its customers typically stand among all customers, as
# percentiles from 0 to 1: how recently they bought, how often, how much. Edit to taste; a name is used once.
ARCHETYPES: Mapping[str, tuple[float, float, float]] = {
    "Champions": (0.85, 0.92, 0.92),
    "Loyal": (0.65, 0.75, 0.75),
    "Big spenders": (0.50, 0.40, 0.85),
    "Promising": (0.70, 0.50, 0.45),
    "New": (0.80, 0.20, 0.25),
    "Needs attention": (0.45, 0.55, 0.55),
    "About to sleep": (0.40, 0.25, 0.35),
    "At risk": (0.25, 0.65, 0.65),
    "Can't lose them": (0.15, 0.85, 0.90),
    "Hibernating": (0.20, 0.30, 0.40),
    "Lost": (0.10, 0.20, 0.18),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A segment's mean percentile among all customers: how recently, how often, how much its members buy."""

    recent: float
    frequent: float
    valuable: float


def standings(
    recency: NDArray[np.float64],
    frequency: NDArray[np.float64],
    monetary: NDArray[np.float64],
    labels: NDArray[np.intp],
    k: int,
) -> list[Standing]:
    """Where each of k segments stands; arrays of shape (n,), the labels from 0 to k - 1."""
    recent, frequent, valuable = (_percentile(values) for values in (-recency, frequency, monetary))
    return [
        Standing(*(float(values[labels == index].mean()) for values in (recent, frequent, valuable)))
        for index in range(k)
    ]


def names_for(found: Sequence[Standing], taken: Mapping[int, str]) -> list[str]:
    """A name for each segment, no two alike: the assignment with the least total squared distance to archetypes.

    `taken` are the names that segments (by index) keep from the model before. Where there are more segments than
    archetypes, the rest are called by number.
    """
    free = [name for name in ARCHETYPES if name not in taken.values()]
    unnamed = [index for index in range(len(found)) if index not in taken]
    names = dict(taken)
    if free and unnamed:
        places = np.array([[found[i].recent, found[i].frequent, found[i].valuable] for i in unnamed])
        ideals = np.array([ARCHETYPES[name] for name in free])
        cost = np.square(places[:, None, :] - ideals[None, :, :]).sum(axis=2)
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            names[unnamed[row]] = free[column]
    return [names.get(index, f"Segment {index + 1}") for index in range(len(found))]


def _percentile(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value's rank among all, 0 to 1, equals sharing the middle rank."""
    order = np.sort(values)
    middle = (np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right")) / 2
    return middle / len(values)
