"""Feature values that change step by step, and the first step at which the scorer places them in a wanted segment.

To ask the scorer about every step would be exact and slow. Most steps need not be looked at: of two centres, the sign
of the difference of squared distances, the gap, says which is nearer. Along a course every scaled feature bends ever
less, so Taylor's formula with the curvature at one step bounds the gap at all later ones and tells how far it surely
keeps its sign. Where a gap is too small for its sign to be certain in float64, the scorer itself is asked.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.axis import Axis
from models.scorer import Scorer
from models.scorer_arrays import TRANSFORMS, ScorerArrays

Values = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

SMALLEST = 1e-300  # square of a share: a smaller one would be rounded to zero
ROUNDING = 1e-12  # of the largest squared distance; float64 errs by some 1e-15 of it

# First and second derivative of a transformed value, from the value and its own; numbers and arrays alike.
DERIVATIVES: Mapping[str, Callable[[Any, Any, Any], tuple[Any, Any]]] = {
    "log1p": lambda value, first, second: (first / (1 + value), second / (1 + value) - (first / (1 + value)) ** 2),
    "identity": lambda value, first, second: (first, second),
}

# A feature's value after t > 0 steps is (a + b t) / (p + q t), written (a, b, p, q). Either q = 0, b ≥ 0 and p > 0: a
# steady rise; or b = 0, p ≥ 0 and q > 0: a total shared by ever more. Such a value bends ever less, and so does its
# log. Numbers for one customer, arrays of shape (n,) for n.
Motion = tuple[Any, Any, Any, Any]
# Features that change, by their index among the scorer's, and how.
Changes = Sequence[tuple[int, Motion]]
# The height of a centre above a point: the squared distance less the point's own square, base + pull · point.
Height = tuple[float, Sequence[float]]


class Spot(NamedTuple):
    """One dimension of the centres' space at one step of a course, and bounds of what it is s steps later.

    Unless a feature starts or ends being clipped before, it is at least at + slope s - dip s²/2 and at most
    at + slope s + rise s²/2; to the end of the course it stays between at + least and at + most. Arrays of shape
    (n, dimensions) for n customers.
    """

    at: Any
    slope: Any
    dip: Any
    rise: Any
    least: Any
    most: Any


class Pathfinder:
    """Finds the first step of a course that one scorer places in a wanted segment, exactly as it places all values."""

    def __init__(self, scorer: Scorer) -> None:
        arrays = scorer.arrays
        centres = np.array(arrays.centres)
        self.scorer = scorer
        self.arrays, self.axis = arrays, arrays.axis
        self.transform, self.transform_many = TRANSFORMS[arrays.transform]
        self.derivatives = DERIVATIVES[arrays.transform]
        self.bounds = tuple(zip(arrays.lower, arrays.upper, arrays.mean, arrays.scale, strict=True))
        self.certain = ROUNDING * _largest_square(arrays)  # a gap beyond it has the sign that the scorer sees
        self.bases, self.pulls = np.square(centres).sum(axis=1), -2 * centres
        self.heights: Sequence[Height] = list(zip(self.bases.tolist(), self.pulls.tolist(), strict=True))
        tilts = self.pulls[None, :, :] - self.pulls[:, None, :]
        self.tilts = tilts.tolist()  # of centre j's height less that of a nearer i: [i][j], over the dimensions
        self.with_it, self.against = np.maximum(tilts, 0), np.minimum(tilts, 0)

    def first(
        self, values: Sequence[float], changes: Changes, wanted: Collection[int], last: int, done: float = 0.0
    ) -> tuple[int, int] | None:
        """The first step t in 1 … `last` that is placed in a wanted segment, and that segment's index; None without.

        At step t the d values are as given but for those that change: theirs are those of their motions after
        t - `done`, 0 ≤ `done` < 1.
        """
        motions = [(value, 0.0, 1.0, 0.0) for value in values]
        for feature, motion in changes:
            motions[feature] = motion
        course = _Course(self, motions, last, done)
        others = [index for index in range(len(self.heights)) if index not in wanted]
        open_to = list(wanted)  # those of the wanted that may still be met
        t = 1
        while open_to and t <= course.last:
            places, spots, until = course.look(t)
            heights = [base + sum(map(mul, pull, places)) for base, pull in self.heights]
            near = min(others, key=heights.__getitem__)
            gaps = [heights[index] - heights[near] - self.certain for index in open_to]
            if min(gaps) <= 0:
                placed = self._placed(heights, motions, t - done)
                if placed in wanted:
                    return t, placed
                t += 1
                continue
            tilts = self.tilts[near]
            reaches = [course.reach(gap, tilts[index], spots) for index, gap in zip(open_to, gaps, strict=True)]
            open_to = [index for index, reach in zip(open_to, reaches, strict=True) if reach is not None]
            t = max(t + 1, math.ceil(min([until, *[t + reach for reach in reaches if reach is not None]])))
        return None

    def first_of_many(
        self, motions: Sequence[Motion], wanted: Flags, last: Values, done: Values
    ) -> tuple[Indices, Indices]:
        """The same for n customers: the steps, 0 where there is none, and the segments; both of shape (n,).

        `wanted` has shape (n, k), `last` and `done` (n,).
        """
        courses = _Courses(self, motions, last, done)
        steps, placed = np.zeros(len(last), dtype=np.intp), np.zeros(len(last), dtype=np.intp)
        t = np.ones(len(last))
        rows = np.flatnonzero(wanted.any(axis=1))
        while rows.size:
            spots, until = courses.look(rows, t[rows])
            heights = self.bases + spots.at @ self.pulls.T
            near = np.where(wanted[rows], np.inf, heights).argmin(axis=1)
            lowest = np.take_along_axis(heights, near[:, None], axis=1)
            gaps = np.where(wanted[rows], heights - lowest - self.certain, np.inf)
            doubtful = np.min(gaps, axis=1) <= 0
            asked, certain = rows[doubtful], rows[~doubtful]
            placed[asked] = self._placed_of_many(heights[doubtful], courses, asked, t[asked])
            found = wanted[asked, placed[asked]]
            steps[asked[found]] = t[asked[found]]
            t[asked] += 1
            spots = Spot(*(column[~doubtful] for column in spots))
            ahead, open_to = self._reach_of_many(gaps[~doubtful], near[~doubtful], spots)
            t[certain] = np.maximum(t[certain] + 1, np.ceil(np.minimum(until[~doubtful], t[certain] + ahead)))
            rows = np.concatenate([asked[~found], certain[open_to]])
            rows = rows[t[rows] <= courses.last[rows]]
        return steps, placed

    def _placed(self, heights: Sequence[float], motions: Sequence[Motion], since: float) -> int:
        lowest, second = sorted(heights)[:2]
        if second - lowest > self.certain:
            return heights.index(lowest)
        return self.scorer.place([value_after(motion, since) for motion in motions]).nearest

    def _placed_of_many(self, heights: Values, courses: "_Courses", rows: Indices, t: Values) -> Indices:
        placed: Indices = heights.argmin(axis=1)
        lowest = np.partition(heights, 1, axis=1)
        for index in np.flatnonzero(lowest[:, 1] - lowest[:, 0] <= self.certain):
            values = courses.values(rows[index : index + 1], t[index : index + 1])[0].tolist()
            placed[index] = self.scorer.place(values).nearest
        return placed

    def _reach_of_many(self, gaps: Values, near: Indices, spots: Spot) -> tuple[Values, Flags]:
        """How far ahead no gap of a customer closes, (n,), and whether any may close to the end of the course, (n,)."""
        with_it, against = self.with_it[near], self.against[near]
        least = np.einsum("nkr,nr->nk", with_it, spots.least) + np.einsum("nkr,nr->nk", against, spots.most)
        bend = np.einsum("nkr,nr->nk", with_it, spots.dip) - np.einsum("nkr,nr->nk", against, spots.rise)
        slopes = spots.slope @ self.pulls.T
        slope = slopes - np.take_along_axis(slopes, near[:, None], axis=1)
        closing = gaps + least <= 0
        gap = np.where(closing, gaps, 1.0)
        root = np.sqrt(slope * slope + 2 * bend * gap)
        falling = slope <= 0
        with np.errstate(divide="ignore", over="ignore"):
            reach = np.where(falling, 2 * gap, slope + root) / np.where(falling, root - slope, bend)
        return np.min(np.where(closing, reach, np.inf), axis=1), closing.any(axis=1)


class _Mover(NamedTuple):
    """A feature that moves: from when until when it is not clipped, and the scorer's bounds, mean and scale."""

    feature: int
    motion: Motion
    turn: float
    enters: float
    leaves: float
    low: float
    high: float
    mean: float
    scale: float


class _Course:
    """One customer's motions before a scorer."""

    def __init__(self, finder: Pathfinder, motions: Sequence[Motion], last: int, done: float) -> None:
        self._finder, self._done = finder, done
        self._movers: list[_Mover] = []
        still = []  # scaled; 0 where the feature moves
        final = 0.0
        for feature, (motion, bounds) in enumerate(zip(motions, finder.bounds, strict=True)):
            a, b, p, q = motion
            turn = b * p - a * q
            if turn:
                enters, leaves = _when(bounds[turn < 0], motion, turn), _when(bounds[turn > 0], motion, turn)
                if enters < last - done and leaves > 1 - done:
                    self._movers.append(_Mover(feature, motion, turn, enters, leaves, *bounds))
                    still.append(0.0)
                    final = max(final, leaves)
                    continue
            still.append(self._scaled(motion, 1 - done, *bounds))
        # beyond it nothing changes any more
        self.last = last if final + done >= last else max(1, math.ceil(final + done))
        self._ends = [self._scaled(one.motion, self.last - done, *one[5:]) for one in self._movers]
        self._still = still
        features = [one.feature for one in self._movers]
        self._axis = None if finder.axis is None else _MovingAxis(finder.axis, still, features)
        self._dimensions = features if finder.axis is None else [0]

    def look(self, t: int) -> tuple[list[float], Sequence[Spot], int]:
        """The dimensions that move, at step t, and until which step what is said of them holds."""
        since, until = t - self._done, math.inf
        transform, derivatives = self._finder.transform, self._finder.derivatives
        spots = []
        places = self._still.copy()
        for (feature, (a, b, p, q), turn, enters, leaves, low, high, mean, scale), end in zip(
            self._movers, self._ends, strict=True
        ):
            share = p + q * since
            value = (a + b * since) / share
            at = (transform(low if value < low else high if value > high else value) - mean) / scale
            slope = bend = 0.0
            if enters <= since < leaves:
                first = turn / max(share * share, SMALLEST)
                slope, bend = derivatives(value, first, -2 * q * first / share)
                slope, bend = slope / scale, bend / scale
                until = min(until, leaves)
            elif since < enters:
                until = min(until, enters)
            rest = end - at
            dip, rise = (-bend, 0.0) if bend < 0 else (0.0, bend)
            least, most = (rest, 0.0) if rest < 0 else (0.0, rest)
            spots.append(Spot(at, slope, dip, rise, least, most))
            places[feature] = at
        limit = self.last if until + self._done >= self.last else math.floor(until + self._done)
        if self._axis is None:
            return places, spots, limit
        along = self._axis.along(spots)
        return [along.at], [along], limit

    def reach(self, gap: float, tilts: Sequence[float], spots: Sequence[Spot]) -> float | None:
        """How far ahead the gap of a centre to a nearer one surely stays positive; None for to the end."""
        least, slope, bend = gap, 0.0, 0.0
        for feature, (_, first, dip, rise, fall, climb) in zip(self._dimensions, spots, strict=True):
            tilt = tilts[feature]
            slope += tilt * first
            if tilt > 0:
                least += tilt * fall
                bend += tilt * dip
            else:
                least += tilt * climb
                bend -= tilt * rise
        if least > 0:
            return None
        root = math.sqrt(slope * slope + 2 * bend * gap)
        if slope > 0:
            return (slope + root) / bend if bend else math.inf
        return 2 * gap / (root - slope) if root > slope else math.inf

    def _scaled(self, motion: Motion, t: float, low: float, high: float, mean: float, scale: float) -> float:
        a, b, p, q = motion
        value = (a + b * t) / (p + q * t)
        return (self._finder.transform(low if value < low else high if value > high else value) - mean) / scale


class _MovingAxis:
    """The axis of a scorer over the features that move: place = level + Σ z_m (pull_m + Σ_n products_mn z_n)."""

    def __init__(self, axis: Axis, still: Sequence[float], features: Sequence[int]) -> None:
        leaning = [sum(map(mul, row, still)) for row in axis.products]
        self._level = sum([at * (one + more) for at, one, more in zip(still, axis.linear, leaning, strict=True)])
        self._pulls = [axis.linear[feature] + 2 * leaning[feature] for feature in features]
        self._products = [[axis.products[one][other] for other in features] for one in features]

    def along(self, spots: Sequence[Spot]) -> Spot:
        """The place along the axis, from the features that move."""
        place, slope, dip, rise, least, most = self._level, 0.0, 0.0, 0.0, 0.0, 0.0
        for (at, first, down, up, fall, climb), pull, row in zip(spots, self._pulls, self._products, strict=True):
            leaning = sum([weight * other.at for weight, other in zip(row, spots, strict=True)])
            place += at * (pull + leaning)
            tilt = pull + 2 * leaning
            slope += tilt * first
            dip += tilt * down if tilt > 0 else -tilt * up
            rise += tilt * up if tilt > 0 else -tilt * down
            least += tilt * (fall if tilt > 0 else climb)
            most += tilt * (climb if tilt > 0 else fall)
            for weight, other in zip(row, spots, strict=True):
                bend = 2 * weight * first * other.slope
                turn = weight * (fall + climb) * (other.least + other.most)
                dip, rise = (dip - bend, rise) if bend < 0 else (dip, rise + bend)
                least, most = (least + turn, most) if turn < 0 else (least, most + turn)
        return Spot(place, slope, dip, rise, least, most)


class _Courses:
    """The motions of n customers before a scorer; arrays of shape (n, d)."""

    def __init__(self, finder: Pathfinder, motions: Sequence[Motion], last: Values, done: Values) -> None:
        self._finder, self._done = finder, done
        shape = (len(last), len(motions))
        self._motions = np.empty((4, *shape))
        for feature, motion in enumerate(motions):
            for part, value in enumerate(motion):
                self._motions[part, :, feature] = value
        low, high = (np.array(column) for column in (finder.arrays.lower, finder.arrays.upper))
        a, b, p, q = self._motions
        self._turn = b * p - a * q
        enters = _when_of_many(np.where(self._turn > 0, low, high), self._motions, self._turn)
        leaves = _when_of_many(np.where(self._turn > 0, high, low), self._motions, self._turn)
        moving = (enters < (last - done)[:, None]) & (leaves > (1 - done)[:, None])
        self._enters, self._leaves = np.where(moving, enters, np.inf), np.where(moving, leaves, np.inf)
        final = np.max(np.where(moving, leaves, 0.0), axis=1) + done
        self.last = np.minimum(last, np.maximum(1, np.ceil(final)))
        self._ends = finder.scorer.scaled(self.values(np.arange(len(last)), self.last))

    def values(self, rows: Indices, t: Values) -> Values:
        """The values of some customers after their t steps: (len(rows), d)."""
        return np.asarray(value_after(self._motions[:, rows], (t - self._done[rows])[:, None]))

    def look(self, rows: Indices, t: Values) -> tuple[Spot, Values]:
        """The dimensions of some customers at their steps t, and until which step what is said of them holds."""
        finder, done = self._finder, self._done[rows]
        since = (t - done)[:, None]
        a, b, p, q = self._motions[:, rows]
        enters, leaves, turn = self._enters[rows], self._leaves[rows], self._turn[rows]
        share = p + q * since
        value = np.clip((a + b * since) / share, finder.arrays.lower, finder.arrays.upper)
        at = (finder.transform_many(value) - finder.arrays.mean) / finder.arrays.scale
        moves = (enters <= since) & (since < leaves)
        first = np.where(moves, turn / np.maximum(share * share, SMALLEST), 0.0)
        slope, bend = finder.derivatives(value, first, -2 * q * first / share)
        slope, bend = slope / finder.arrays.scale, bend / finder.arrays.scale
        rest = self._ends[rows] - at
        spots = Spot(at, slope, np.maximum(-bend, 0), np.maximum(bend, 0), np.minimum(rest, 0), np.maximum(rest, 0))
        next_bend = np.min(np.where(since < enters, enters, np.where(moves, leaves, np.inf)), axis=1) + done
        until = np.minimum(self.last[rows], np.floor(next_bend))
        return (spots if finder.axis is None else _along(finder.axis, spots)), until


def _along(axis: Axis, spots: Spot) -> Spot:
    """The places of n customers along the axis, from their features: arrays of shape (n, 1)."""
    products = np.array(axis.products)
    leaning = spots.at @ products
    tilt = np.array(axis.linear) + 2 * leaning
    with_it, against = np.maximum(tilt, 0), np.minimum(tilt, 0)
    rest = spots.least + spots.most
    bends = 2 * products * spots.slope[:, :, None] * spots.slope[:, None, :]
    turns = products * rest[:, :, None] * rest[:, None, :]
    return Spot(
        at=_total(spots.at * (np.array(axis.linear) + leaning)),
        slope=_total(tilt * spots.slope),
        dip=_total(with_it * spots.dip - against * spots.rise) - _total(np.minimum(bends, 0)),
        rise=_total(with_it * spots.rise - against * spots.dip) + _total(np.maximum(bends, 0)),
        least=_total(with_it * spots.least + against * spots.most) + _total(np.minimum(turns, 0)),
        most=_total(with_it * spots.most + against * spots.least) + _total(np.maximum(turns, 0)),
    )


def _total(values: Values) -> Values:
    return np.asarray(values.reshape(len(values), -1).sum(axis=1, keepdims=True))


def value_after(motion: Any, t: Any) -> Any:
    """The value of a motion after t steps."""
    a, b, p, q = motion
    return (a + b * t) / (p + q * t)


def _when(level: float, motion: Motion, turn: float) -> float:
    """The t at which a motion that turns, b p - a q ≠ 0, reaches a level; infinite where it never does."""
    a, b, p, q = motion
    pace = b - level * q
    return float((level * p - a) / pace) if pace * turn > 0 else math.inf


def _when_of_many(level: Values, motions: Values, turn: Values) -> Values:
    a, b, p, q = motions
    pace = b - level * q
    with np.errstate(over="ignore"):  # that far away is never
        when: Values = np.divide(level * p - a, pace, out=np.full(turn.shape, np.inf), where=pace * turn > 0)
    return when


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
