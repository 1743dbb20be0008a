"""Names for segments: the archetype each segment's place in recency, frequency and monetary comes nearest to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Values = NDArray[np.float64]

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
# The names that say nothing of recency, for shops whose customers do not differ in it: how often they buy, how much.
STEADY: Mapping[str, tuple[float, float]] = {
    "Champions": (0.92, 0.92),
    "Loyal": (0.75, 0.75),
    "Big spenders": (0.40, 0.85),
    "Promising": (0.50, 0.45),
    "Regular": (0.55, 0.60),
    "Frequent small orders": (0.75, 0.40),
    "Occasional": (0.20, 0.20),
}


class Silence(IntEnum):
    """How many members have not bought for longer than is usual."""

    FEW = 0
    HALF = 1
    MOST = 2


# Which silence a name says, at least; and which a segment may have at most that is called so.
SILENT_AT_LEAST: Mapping[str, Silence] = {
    "About to sleep": Silence.HALF,
    "At risk": Silence.MOST,
    "Can't lose them": Silence.MOST,
    "Hibernating": Silence.MOST,
    "Lost": Silence.MOST,
}
SILENT_AT_MOST: Mapping[str, Silence] = {"New": Silence.FEW, "Promising": Silence.HALF}

FEWEST_WITH_GAPS = 10  # customers with several orders, for their gaps to say what is usual
SHORTEST_GAP = 7.0  # days: a shorter silence is none, however often customers buy
SHARE_OF_HISTORY = 0.25  # what counts for the usual gap where hardly anybody ordered twice
OVERDUE = 1.5  # own gaps since the last order: the silence of a quarter of the members of a silent segment
TIMES_AS_LONG = 2.0  # as in the segment that bought last
YOUNG = 2.0  # usual gaps since the first order: half of the members of a new segment came later
NOT_ALLOWED = 1e3  # far above any distance between places


@dataclass(frozen=True, slots=True)
class Standing:
    """A segment's mean percentile among all customers: how recently, how often, how much its members buy.

    `silence` says how many have been silent for longer than is usual, `active` that half of them bought within half the
    usual gap, `young` that half of them came lately.
    """

    recent: float
    frequent: float
    valuable: float
    silence: Silence = Silence.FEW
    active: bool = False
    young: bool = False

    def allows(self, name: str) -> bool:
        """Whether a name says nothing of recency that is not so."""
        if not SILENT_AT_LEAST.get(name, Silence.FEW) <= self.silence <= SILENT_AT_MOST.get(name, Silence.MOST):
            return False
        return self.young or name != "New"

    def allows_still(self, name: str) -> bool:
        """The same of the name that a segment has: it loses one only that is clearly wrong, lest names come and go."""
        return not (self.active and name in SILENT_AT_LEAST)


def standings(features: Mapping[str, Values], labels: NDArray[np.intp], k: int) -> list[Standing]:
    """Where each of k segments stands; features of shape (n,) by name, the labels from 0 to k - 1.

    A segment is silent where half of its members bought longer ago than the usual gap between orders, a quarter of them
    by 1.5 times their own gap, and where half of them bought twice as long ago as in the segment that bought last. Most
    members are silent where three quarters bought longer ago than the usual gap.
    """
    recency, frequency = features["recency"], features["frequency"]
    ranks = [_percentile(values) for values in (-recency, frequency, features["monetary"])]
    usual = usual_gap(features)
    repeated = (frequency > 1) & (features["mean_gap"] > 0)
    overdue = recency / np.where(repeated, np.maximum(features["mean_gap"], SHORTEST_GAP), usual)
    members = [labels == index for index in range(k)]
    medians = [float(np.median(recency[inside])) for inside in members]
    found = []
    for inside, median in zip(members, medians, strict=True):
        silence = Silence.FEW
        differs = median >= TIMES_AS_LONG * min(medians) and np.quantile(overdue[inside], 0.75) >= OVERDUE
        if differs and median >= usual:
            silence = Silence.MOST if np.quantile(recency[inside], 0.25) >= usual else Silence.HALF
        recent, frequent, valuable = (float(values[inside].mean()) for values in ranks)
        young = bool(np.median(features["tenure"][inside]) <= YOUNG * usual)
        found.append(Standing(recent, frequent, valuable, silence, median < usual / 2, young))
    return found


def usual_gap(features: Mapping[str, Values]) -> float:
    """Days between orders as usual in the shop: the median of customers with several, a week at least.

    Where too few have several, a quarter of the time since the first purchase.
    """
    gaps = features["mean_gap"][(features["frequency"] > 1) & (features["mean_gap"] > 0)]
    usual = np.median(gaps) if len(gaps) >= FEWEST_WITH_GAPS else SHARE_OF_HISTORY * np.max(features["tenure"])
    return max(float(usual), SHORTEST_GAP)


def names_for(found: Sequence[Standing], taken: Mapping[int, str]) -> list[str]:
    """A name for each segment, no two alike: the assignment with the least total squared distance to archetypes.

    Where no segment is silent, recency tells customers apart in no way that matters, and no name speaks of it. `taken`
    are the names that segments (by index) keep from the model before. Where there are more segments than names that
    fit, the rest are called by number.
    """
    names = {index: name for index, name in taken.items() if found[index].allows_still(name)}
    places: list[Mapping[str, tuple[float, ...]]] = [STEADY]
    if any(standing.silence for standing in found):
        places.insert(0, ARCHETYPES)
    for archetypes in places:
        names |= _nearest(found, names, archetypes)
    return [names.get(index, f"Segment {index + 1}") for index in range(len(found))]


def _nearest(
    found: Sequence[Standing], names: Mapping[int, str], archetypes: Mapping[str, tuple[float, ...]]
) -> dict[int, str]:
    """Free names for the segments that have none, as many as fit."""
    free = [name for name in archetypes if name not in names.values()]
    unnamed = [index for index in range(len(found)) if index not in names]
    if not free or not unnamed:
        return {}
    ideals = np.array([archetypes[name] for name in free])
    # Archetypes of two numbers leave out how recently customers bought.
    places = np.array([[found[i].recent, found[i].frequent, found[i].valuable] for i in unnamed])[:, -ideals.shape[1] :]
    cost = np.square(places[:, None, :] - ideals[None, :, :]).sum(axis=2)
    allowed = np.array([[found[index].allows(name) for name in free] for index in unnamed])
    pairs = zip(*linear_sum_assignment(np.where(allowed, cost, NOT_ALLOWED)), strict=True)
    return {unnamed[row]: free[column] for row, column in pairs if allowed[row, column]}


def _percentile(values: Values) -> Values:
    """Each value's rank among all, 0 to 1, equals sharing the middle rank."""
    order = np.sort(values)
    middle = (np.searchsorted(order, values, "left") + np.searchsorted(order, values, "right")) / 2
    return middle / len(values)
