"""The first step of a course along a value axis, in closed form.

Along an axis segments are intervals, and a customer enters another one where the place on the axis crosses the middle
between two centres. With one log moving, the place is a quadratic function of that log: the crossing is a root. Where
several figures move each in its own way, as with further orders, there are few steps, and all are looked at. A place
too near to a border for float64 to tell its side is left to the scorer, so that what is said is exactly what it says.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Sequence
from itertools import pairwise
from operator import mul
from typing import NamedTuple

import numpy as np

from models.axis_search import SLACK, AxisSearch, Courses, Line
from models.course import Flags, Indices, Motion, Pathfinder, Values, value_after
from models.scorer import Axis, Scorer

FEW = 64  # steps that are looked at one by one


class Region(NamedTuple):
    """For each place in the order of the centres along the axis: whether its segment is wanted, and from where to
    where those around it are alike in that."""

    wanted: Sequence[bool]
    low: Sequence[float]
    high: Sequence[float]


class Mover(NamedTuple):
    """A feature that moves: its place among the features, its motion (p is 1 where q is 0), and the scorer's bounds,
    mean and scale."""

    feature: int
    motion: Motion
    low: float
    high: float
    mean: float
    scale: float


class AxisPathfinder(Pathfinder):
    """A `Pathfinder` for the scorers that place customers along an axis of log features."""

    def __init__(self, scorer: Scorer, axis: Axis) -> None:
        super().__init__(scorer)
        centres = [centre[0] for centre in scorer.arrays.centres]
        self._order = sorted(range(len(centres)), key=centres.__getitem__)
        along = [centres[index] for index in self._order]
        self._middles = [(one + other) / 2 for one, other in pairwise(along)]
        apart = min(other - one for one, other in pairwise(along))
        self._doubt = self.certain / (2 * apart)  # a place nearer to a border than this is the scorer's to judge
        self._linear, self._products = axis.linear, axis.products
        self._regions: dict[frozenset[int], Region] = {}
        self._line = Line(axis, np.array(self._middles), np.array(self._order, dtype=np.intp), self._doubt)

    def first(
        self, motions: Sequence[Motion], wanted: Collection[int], last: int, done: float = 0.0
    ) -> tuple[int, int] | None:
        movers, scaled = self._at_first(motions, 1 - done)
        together = _move_together(movers)
        if not together and last > FEW:
            return super().first(motions, wanted, last, done)
        leaning = [sum(map(mul, row, scaled)) for row in self._products]
        place = sum([at * (one + more) for at, one, more in zip(scaled, self._linear, leaning, strict=True)])
        course = _Course(
            movers,
            place,
            [scaled[one.feature] for one in movers],
            [self._linear[one.feature] + 2 * leaning[one.feature] for one in movers],
            [[self._products[one.feature][other.feature] for other in movers] for one in movers],
        )
        region = self._region(frozenset(wanted))
        t = 1
        while t <= last:
            at = course.at(t - done)
            index = bisect_left(self._middles, at)
            low, high = region.low[index], region.high[index]
            if min(abs(at - low), abs(high - at)) <= self._doubt:
                placed = self.scorer.place([value_after(motion, t - done) for motion in motions]).nearest
                if placed in wanted:
                    return t, placed
                t += 1
            elif region.wanted[index]:
                return t, self._settled(index, at, motions, t - done)
            elif not movers:
                return None
            elif together:
                since = course.crosses(t - done, low, high)
                if since is None:
                    return None
                t = max(t + 1, math.ceil((1 - SLACK) * since + done - SLACK))
            else:
                t += 1
        return None

    def first_of_many(
        self, motions: Sequence[Motion], wanted: Flags, last: Values, done: Values
    ) -> tuple[Indices, Indices]:
        courses = Courses(self.arrays, motions, done)
        search = AxisSearch(
            self.arrays, self._line, courses, wanted, last, lambda values: self.scorer.place(values.tolist()).nearest
        )
        possible = wanted.any(axis=1)
        few = last <= FEW
        search.in_closed_form(np.flatnonzero(possible & courses.together))
        search.step_by_step(np.flatnonzero(possible & ~courses.together & few))
        rest = np.flatnonzero(possible & ~courses.together & ~few)
        if rest.size:
            theirs = [_of(rest, motion, len(last)) for motion in motions]
            search.steps[rest], search.placed[rest] = super().first_of_many(
                theirs, wanted[rest], last[rest], done[rest]
            )
        return search.steps, search.placed

    def _at_first(self, motions: Sequence[Motion], since: float) -> tuple[list[Mover], list[float]]:
        """What moves, and all features as scaled at the first step."""
        transform = self.transform
        movers, scaled = [], []
        for feature, (motion, bounds) in enumerate(zip(motions, self.bounds, strict=True)):
            a, b, p, q = motion
            low, high, mean, scale = bounds
            value = (a + b * since) / (p + q * since)
            if b * p != a * q and (value < high or q):
                movers.append(Mover(feature, motion if q else (a / p, b / p, 1.0, 0.0), *bounds))
            scaled.append((transform(low if value < low else high if value > high else value) - mean) / scale)
        return movers, scaled

    def _settled(self, index: int, at: float, motions: Sequence[Motion], since: float) -> int:
        """The segment at a place, which is surely among those alike around it, though not surely this one of them."""
        beside = [abs(at - middle) for middle in self._middles[max(0, index - 1) : index + 1]]
        if min(beside) > self._doubt:
            return self._order[index]
        return self.scorer.place([value_after(motion, since) for motion in motions]).nearest

    def _region(self, wanted: frozenset[int]) -> Region:
        found = self._regions.get(wanted)
        if found is None:
            found = self._regions[wanted] = self._region_of([index in wanted for index in self._order])
        return found

    def _region_of(self, wanted: Sequence[bool]) -> Region:
        edges = [-math.inf, *self._middles, math.inf]
        low, high = edges[:-1], edges[1:]
        for index in range(1, len(wanted)):
            if wanted[index] == wanted[index - 1]:
                low[index] = low[index - 1]
        for index in range(len(wanted) - 2, -1, -1):
            if wanted[index] == wanted[index + 1]:
                high[index] = high[index + 1]
        return Region(wanted, low, high)


class _Course:
    """One customer's place along the axis: the first step's, and how far the movers have gone since."""

    def __init__(
        self,
        movers: Sequence[Mover],
        place: float,
        scaled: Sequence[float],
        slopes: Sequence[float],
        products: Sequence[Sequence[float]],
    ) -> None:
        self._movers, self._place, self._scaled, self._slopes, self._products = movers, place, scaled, slopes, products

    def at(self, since: float) -> float:
        """The place after so many steps."""
        gone = [
            (math.log1p(_clipped(mover, since)) - mover.mean) / mover.scale - first
            for mover, first in zip(self._movers, self._scaled, strict=True)
        ]
        ways = zip(gone, self._slopes, self._products, strict=True)
        return self._place + float(sum([far * (slope + sum(map(mul, row, gone))) for far, slope, row in ways]))

    def crosses(self, since: float, low: float, high: float) -> float | None:
        """After how many steps the place first reaches `low` or `high`, between which it is after `since` steps.

        Not later than that, and `since` or less at the earliest; None where it never does. The movers must move
        together, so that their logs differ by constants.
        """
        a, b, _, _ = self._movers[0].motion
        until = since
        while until < math.inf:
            since = until
            until, moving, resting = self._piece(since)
            level, pull, bend = self._place, 0.0, 0.0
            for (rate, start), slope, row in zip(moving, self._slopes, self._products, strict=True):
                level += start * slope
                pull += rate * slope
                for (other_rate, other_start), weight in zip(moving, row, strict=True):
                    level += weight * start * other_start
                    pull += weight * (start * other_rate + rate * other_start)
                    bend += weight * rate * other_rate
            if resting:
                continue
            now = math.log1p(a + b * since)
            end = math.log1p(a + b * until) if until < math.inf else math.inf
            found = min(_root(bend, pull, level - low, now), _root(bend, pull, level - high, now))
            if found <= end + SLACK:
                return float((math.expm1(found) - a) / b)
        return None

    def _piece(self, since: float) -> tuple[float, list[tuple[float, float]], bool]:
        """Until when all movers go on as they do after `since` steps; for each the rate and the start of its way since
        the first step, as rate · log + start, with the log of the first of them; and whether all rest."""
        until, moving, resting = math.inf, [], True
        pace = self._movers[0].motion[1]
        for (_, (a, b, _, _), low, high, mean, scale), first in zip(self._movers, self._scaled, strict=True):
            enters, leaves = (low - a) / b, (high - a) / b
            if enters <= since < leaves:
                moving.append((1 / scale, (math.log(b / pace) - mean) / scale - first))
                until, resting = min(until, leaves), False
            else:
                moving.append((0.0, (math.log1p(low if since < enters else high) - mean) / scale - first))
                until = min(until, enters) if since < enters else until
        return until, moving, resting


def _of(rows: Indices, motion: Motion, n: int) -> Motion:
    """The motion of some of n customers."""
    a, b, p, q = (np.broadcast_to(part, n)[rows] for part in motion)
    return a, b, p, q


def _clipped(mover: Mover, since: float) -> float:
    a, b, p, q = mover.motion
    value: float = (a + b * since) / (p + q * since)
    return mover.low if value < mover.low else mover.high if value > mover.high else value


def _move_together(movers: Sequence[Mover]) -> bool:
    """Whether all rise steadily, and their logs differ by constants."""
    if not movers:
        return True
    a, b, _, _ = movers[0].motion
    return all(q == 0 and pace > 0 and (1 + start) * b == (1 + a) * pace for _, (start, pace, _, q), *_ in movers)


def _root(bend: float, pull: float, level: float, now: float) -> float:
    """The least x > now with bend x² + pull x + level = 0; infinite where there is none."""
    if math.isinf(level):
        return math.inf
    square = pull * pull - 4 * bend * level
    if square < 0:
        return math.inf
    # of the two ways to write a root, the one that subtracts nothing alike (Press et al., Numerical Recipes, 5.6)
    half = -(pull + math.copysign(math.sqrt(square), pull)) / 2
    roots = [half / bend if bend else math.inf, level / half if half else math.inf]
    return min([root for root in roots if root > now], default=math.inf)
