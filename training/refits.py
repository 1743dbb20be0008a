"""Refits on resamples of the customers: how far segments stay themselves, and how sure a customer's place is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import adjusted_rand_score

from models.evidence import CalibrationBin, Estimate, StabilityRecord
from models.scorer_arrays import Membership

Values = NDArray[np.float64]
Labels = NDArray[np.intp]
# Fits to the customers given by their rows (with repeats), and places all n customers.
Refit = Callable[[NDArray[np.int64], int], Labels]

WEAK = 0.6  # Hennig's bound: a segment that overlaps less with itself in refits is not to be believed in
KNOTS = 25
BINS = 10


def resamples(n: int, count: int, seed: int) -> list[tuple[NDArray[np.int64], int]]:
    """`count` bootstrap resamples of n customers, each with a seed of its own."""
    found = []
    for stream in np.random.SeedSequence(seed).spawn(count):
        random = np.random.default_rng(stream)
        found.append((random.integers(0, n, n), int(random.integers(2**31))))
    return found


def mean_ari(labels: Labels, refit: Refit, count: int, seed: int) -> float:
    """The mean adjusted Rand index of the segments with those of refits on bootstrap resamples."""
    agreement = [adjusted_rand_score(labels, refit(rows, own)) for rows, own in resamples(len(labels), count, seed)]
    return float(np.mean(agreement))


def numbering(labels: Labels, other: Labels, k: int) -> Labels:
    """For each cluster of another clustering of the same customers, the cluster of the first it overlaps most.

    One to one, so that the overlap in customers is largest in sum (Kuhn 1955).
    """
    overlap = np.zeros((k, k))
    np.add.at(overlap, (labels, other), 1.0)
    rows, columns = linear_sum_assignment(-overlap)
    number = np.empty(k, dtype=np.intp)
    number[columns] = rows
    return number


def matched(labels: Labels, other: Labels, k: int) -> Labels:
    """The other clustering with its clusters numbered as the first's."""
    return numbering(labels, other, k)[other]


@dataclass(frozen=True, slots=True)
class Refits:
    """The segments of n customers (n,), and where each of r refits puts them (r, n), clusters matched."""

    labels: Labels
    placed: NDArray[np.intp]
    k: int

    @classmethod
    def of(cls, labels: Labels, k: int, refit: Refit, count: int, seed: int) -> "Refits":
        """Refit on `count` resamples."""
        found = [matched(labels, refit(rows, own), k) for rows, own in resamples(len(labels), count, seed)]
        return cls(labels, np.array(found), k)

    @property
    def kept(self) -> Values:
        """The share of refits in which each customer stays, shape (n,)."""
        return np.asarray((self.placed == self.labels).mean(axis=0), dtype=np.float64)

    def stability(self, segment_ids: Sequence[int], halves: float | None) -> StabilityRecord:
        """`segment_ids` in the order of the clusters."""
        ari = [adjusted_rand_score(self.labels, one) for one in self.placed]
        low, high = np.quantile(ari, (0.025, 0.975))
        jaccard = {}
        for index, segment_id in enumerate(segment_ids):
            here, there = self.labels == index, self.placed == index
            both = (here & there).sum(axis=1) / np.maximum((here | there).sum(axis=1), 1)
            jaccard[int(segment_id)] = round(float(both.mean()), 4)
        return StabilityRecord(
            refits=len(self.placed),
            ari=Estimate(value=round(float(np.mean(ari)), 4), low=round(float(low), 4), high=round(float(high), 4)),
            jaccard=jaccard,
            weak=tuple(one for one, overlap in jaccard.items() if overlap < WEAK),
            halves=halves,
        )

    def membership(self, border: Values, second: Labels) -> Membership:
        """The share kept as a growing function of the distance to the border (isotonic regression, Barlow 1972).

        `border` and `second` of the n customers are as the scorer gives them.
        """
        order = np.argsort(border, kind="stable")
        parts = [part for part in np.array_split(order, min(KNOTS, len(order))) if len(part)]
        distance = np.array([border[part].mean() for part in parts])
        weight = np.array([len(part) for part in parts], dtype=np.float64)
        shares = np.array([self.kept[part].mean() for part in parts])
        grown = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(distance, shares, sample_weight=weight)
        # on the border itself a coin decides; the nearest customers lie a little beyond it
        distance, grown = np.append(0.0, distance), np.append(min(0.5, float(grown[0])), grown)
        distinct = np.append(True, np.diff(distance) > 1e-9)
        left = self.placed != self.labels
        gone = int(np.count_nonzero(left))
        to_second = int(np.count_nonzero(left & (self.placed == second)))
        return Membership(
            distance=tuple(np.round(distance[distinct], 9).tolist()),
            kept=tuple(np.round(grown[distinct], 6).tolist()),
            to_runner_up=round(to_second / gone, 6) if gone else 1.0,
        )

    def calibration(self, said: Values) -> tuple[CalibrationBin, ...]:
        """What was said of customers against what these refits did, in bins of about as many customers each."""
        order = np.argsort(said, kind="stable")
        return tuple(
            CalibrationBin(
                said=round(float(said[part].mean()), 4),
                kept=round(float(self.kept[part].mean()), 4),
                customers=len(part),
            )
            for part in np.array_split(order, min(BINS, len(order)))
            if len(part)
        )
