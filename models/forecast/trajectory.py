"""The first step of a trajectory at which the scorer assigns one of the wanted segments.

The steps are cut into intervals. Between its ends every feature is monotone, so the ends bound the distances to all
centres in between. An interval whose bounds exclude every wanted segment is skipped, another one is divided until it is
a single step, or nothing changes within it. If float64 cannot decide a step, the scorer itself is asked.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.axis import Axis
from models.scorer import Scorer
from models.scorer_arrays import TRANSFORMS, ScorerArrays

Values = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

ROUNDING = 1e-12  # of the largest squared distance; float64 errs by some 1e-15 of it
INTERVALS = (40, 8)  # that are looked at at once: of few customers more, as each round has its price
FEW = 16  # customers
CUSTOMERS = 8192  # at a time, which takes some 25 MB

# A feature's value after t > 0 steps is (a + b t) / (p + q t), written (a, b, p, q), numbers or arrays of shape (n,).
# Either q = 0, b ≥ 0 and p > 0, or b = 0, p ≥ 0 and q > 0: the value is monotone in t.
Motion = tuple[Any, Any, Any, Any]


class TrajectorySearch:
    """Searches the trajectories of one scorer's customers."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer, self._arrays = scorer, scorer.arrays
        self._transform = TRANSFORMS[scorer.arrays.transform][1]
        self._centres = np.array(scorer.arrays.centres)
        self.certain = ROUNDING * _largest_square(scorer.arrays)  # squared distances that differ by more are in order

    def first(self, motions: Sequence[Motion], wanted: Flags, last: Values, done: Values) -> tuple[Indices, Indices]:
        """The first step t in 1 … `last` at which each of n customers is in a wanted segment, and that segment's index.

        `wanted` has shape (n, k), all others (n,); the step is 0 where there is none. `motions` has one motion for each
        feature; at step t its value is that after t - `done`, 0 ≤ `done` < 1.
        """
        steps, becomes = np.zeros(len(last), dtype=np.intp), np.zeros(len(last), dtype=np.intp)
        columns = [np.array([np.broadcast_to(part, last.shape) for part in motion]) for motion in motions]
        everybody = np.flatnonzero(wanted.any(axis=1))
        for begin in range(0, len(everybody), CUSTOMERS):
            rows = everybody[begin : begin + CUSTOMERS]
            chunk = [column[:, rows] for column in columns]
            steps[rows], becomes[rows] = self._first(chunk, wanted[rows], last[rows], done[rows])
        return steps, becomes

    def _first(self, motions: Sequence[Values], wanted: Flags, last: Values, done: Values) -> tuple[Indices, Indices]:
        steps, becomes = np.zeros(len(last), dtype=np.intp), np.zeros(len(last), dtype=np.intp)
        count = INTERVALS[len(last) > FEW]
        excluded = np.where(np.stack([~wanted.T, wanted.T]), np.inf, 0.0)[..., None]  # (2, k, n, 1)
        moving = [bool(b.any() or q.any()) for _, b, _, q in motions]
        position, width = np.ones(len(last)), np.where(last <= count * count, np.ceil(last / count), 1.0)
        rows = np.arange(len(last))
        while rows.size:
            ahead = position[rows, None] + width[rows, None] * np.arange(count + 1)
            since, until = np.minimum(ahead[:, :-1], last[rows, None]), np.minimum(ahead[:, 1:] - 1, last[rows, None])
            some = [motion[:, rows, None] for motion in motions]
            ends = [
                tuple(
                    self._scaled(feature, motion, t - done[rows, None])
                    for t in ((since, until) if moves else (since[:, :1],))
                )
                for feature, (motion, moves) in enumerate(zip(some, moving, strict=True))
            ]
            heights = self._bounds(ends)
            least, most = (np.min(height + out[:, rows], axis=0) for height, out in zip(heights, excluded, strict=True))
            possible = least <= most + self.certain
            which, each = possible.argmax(axis=1), np.arange(rows.size)
            unchanged = np.ones(since.shape, dtype=np.bool_)
            for pair in ends:
                unchanged &= pair[0] == pair[-1]
            any_possible, decided = possible[each, which], unchanged[each, which]
            position[rows] = np.where(any_possible, since[each, which], ahead[:, -1])
            divided = rows[any_possible & ~decided]
            width[rows[~any_possible]] *= count
            width[divided] = np.ceil(width[divided] / count)
            at = np.flatnonzero(any_possible & decided)
            asked = rows[at]
            lowest = np.broadcast_to(heights[0], (len(self._centres), *since.shape))[:, at, which[at]].T
            segments = self._assigned(lowest, motions, asked, position[asked] - done[asked])
            entered = wanted[asked, segments]
            steps[asked[entered]], becomes[asked[entered]] = position[asked[entered]], segments[entered]
            position[asked] = np.where(entered, np.inf, position[asked] + width[asked])
            rows = rows[position[rows] <= last[rows]]
        return steps, becomes

    def _bounds(self, ends: Sequence[tuple[Values, ...]]) -> tuple[Values, Values]:
        """The lowest and the highest height of the k centres in intervals of steps, shape (k, n, m), by the features at
        both ends: the squared distance less the point's own square."""
        if self._arrays.axis is not None:
            ends = [_along(self._arrays.axis, ends)]
        least = most = np.square(self._centres).sum(axis=1)[:, None, None]
        for pair, centre in zip(ends, self._centres.T, strict=True):
            pull = -2 * centre[:, None, None]
            one = pull * pair[0]
            other = one if len(pair) == 1 else pull * pair[1]
            least, most = least + np.minimum(one, other), most + np.maximum(one, other)
        return least, most

    def _scaled(self, feature: int, motion: Values, t: Values) -> Values:
        (a, b, p, q), arrays = motion, self._arrays
        values = np.minimum(np.maximum((a + b * t) / (p + q * t), arrays.lower[feature]), arrays.upper[feature])
        return np.asarray((self._transform(values) - arrays.mean[feature]) / arrays.scale[feature])

    def _assigned(self, heights: Values, motions: Sequence[Values], rows: Indices, t: Values) -> Indices:
        """The segments of some customers at their steps, by the heights of the centres."""
        assigned: Indices = heights.argmin(axis=1)
        two = np.partition(heights, 1, axis=1)
        for index in np.flatnonzero(two[:, 1] - two[:, 0] <= self.certain):
            parts = [motion[:, rows[index]].tolist() for motion in motions]
            after = float(t[index])
            assigned[index] = self._scorer.place([(a + b * after) / (p + q * after) for a, b, p, q in parts]).nearest
        return assigned


def _along(axis: Axis, ends: Sequence[tuple[Values, ...]]) -> tuple[Values, Values]:
    """The lowest and the highest place along the axis that features between these ends may have."""
    middles, radii = [(pair[0] + pair[-1]) / 2 for pair in ends], [np.abs(pair[-1] - pair[0]) / 2 for pair in ends]
    place: Any = 0.0
    radius: Any = 0.0
    for middle, far, linear, row in zip(middles, radii, axis.linear, axis.products, strict=True):
        leaning: Any = sum(weight * other for weight, other in zip(row, middles, strict=True))
        bend: Any = sum(abs(weight) * other for weight, other in zip(row, radii, strict=True))
        place = place + middle * (linear + leaning)
        radius = radius + far * (np.abs(linear + 2 * leaning) + bend)
    return place - radius, place + radius


def _largest_square(arrays: ScorerArrays) -> float:
    """A bound of the squared distances of any point to the centres, and of what they are added up from."""
    one = TRANSFORMS[arrays.transform][0]
    sizes = [
        (max(abs(one(low)), abs(one(high))) + abs(mean)) / scale
        for low, high, mean, scale in zip(arrays.lower, arrays.upper, arrays.mean, arrays.scale, strict=True)
    ]
    farthest = np.max(np.abs(np.array(arrays.centres)), axis=0)
    if arrays.axis is not None:
        weights = np.abs(np.array(arrays.axis.linear)) + np.abs(np.array(arrays.axis.products)) @ np.array(sizes)
        sizes = [float(np.dot(sizes, weights))]
    return float(np.square(sizes + farthest).sum())
