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

from models.axis_search import SLACK, AxisSearch, Courses, Cut
from models.course import Changes, Flags, Indices, Motion, Pathfinder, Values, value_after
from models.scorer import Axis, Line, Scorer

FEW = 64  # steps that are looked at one by one


class Region(NamedTuple):
    """For each place in the order of the centres along the axis: whether its segment is wanted, and from where to
    where those around it are alike in that."""

    wanted: Sequence[bool]
    low: Sequence[float]
    high: Sequence[float]


# A feature that moves: its index among the scorer's, its motion (p is 1 where q is 0), and the scorer's bounds, mean
# and scale. A plain tuple, because one is made for every customer.
Mover = tuple[int, Motion, float, float, float, float]


class Start(NamedTuple):
    """A customer before anything changes: the values, as scaled, how the other features weigh on each, and the place
    along the axis."""

    values: Sequence[float]
    scaled: Sequence[float]
    leaning: Sequence[float]
    place: float


class AxisPathfinder(Pathfinder):
    """A `Pathfinder` for the scorers that place customers along an axis of log features."""

    def __init__(self, scorer: Scorer, axis: Axis) -> None:
        super().__init__(scorer)
        centres = [centre[0] for centre in scorer.arrays.centres]
        self._line = Line.of(axis, scorer.arrays.centres)
        apart = min(abs(centres[one] - centres[other]) for one, other in pairwise(self._line.order))
        self._doubt = self.certain / (2 * apart)  # a place nearer to a border than this is the scorer's to judge
        self._axis = axis
        self._linear, self._products = axis.linear, axis.products
        self._regions: dict[frozenset[int], Region] = {}
        self._latest = Start((), (), (), 0.0)

    def first(
        self, values: Sequence[float], changes: Changes, wanted: Collection[int], last: int, done: float = 0.0
    ) -> tuple[int, int] | None:
        course = self._course(values, changes, 1 - done)
        if not course.together and last > FEW:
            return super().first(values, changes, wanted, last, done)
        region = self._region(frozenset(wanted))
        middles, doubt = self._line.middles, self._doubt
        t = 1
        while t <= last:
            at = course.at(t - done)
            index = bisect_left(middles, at)
            low, high = region.low[index], region.high[index]
            if at - low <= doubt or high - at <= doubt:
                placed = self._placed_after(values, changes, t - done)
                if placed in wanted:
                    return t, placed
                t += 1
            elif region.wanted[index]:
                return t, self._settled(index, at, values, changes, t - done)
            elif course.rests:
                return None
            elif course.together:
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
        line = Cut(self._axis, np.array(self._line.middles), np.array(self._line.order), self._doubt)
        search = AxisSearch(
            self.arrays, line, courses, wanted, last, lambda values: self.scorer.place(values.tolist()).nearest
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

    def _course(self, values: Sequence[float], changes: Changes, since: float) -> "_Course | _Rise":
        """The way along the axis from what is known after `since` steps."""
        transform, linear = self.transform, self._linear
        _, scaled, leaning, place = self._start(values)
        movers = []
        for change in changes:
            feature, (a, b, p, q) = change
            low, high, mean, scale = bounds = self.bounds[feature]
            value = (a + b * since) / (p + q * since)
            if b * p != a * q and (value < high or q):
                movers.append((feature, change[1] if q else (a / p, b / p, 1.0, 0.0), *bounds))
                continue
            gone = (transform(low if value < low else high if value > high else value) - mean) / scale - scaled[feature]
            row = self._products[feature]
            place += gone * (linear[feature] + 2 * leaning[feature] + gone * row[feature])
            leaning = [one + gone * weight for one, weight in zip(leaning, row, strict=True)]
        if len(movers) == 1 and not movers[0][1][3] and movers[0][1][1] > 0:
            feature = movers[0][0]
            slope = linear[feature] + 2 * leaning[feature]
            return _Rise(movers[0], place, scaled[feature], slope, self._products[feature][feature])
        return _Course(
            movers,
            place,
            [scaled[mover[0]] for mover in movers],
            [linear[mover[0]] + 2 * leaning[mover[0]] for mover in movers],
            [[self._products[mover[0]][other[0]] for other in movers] for mover in movers],
        )

    def _start(self, values: Sequence[float]) -> Start:
        """The customer as is: asked for with the same values up to three times in a row."""
        start = self._latest
        if start.values is not values:
            transform = self.transform
            scaled = [
                (transform(low if value < low else high if value > high else value) - mean) / scale
                for value, (low, high, mean, scale) in zip(values, self.bounds, strict=True)
            ]
            leaning = self._line.leaning(scaled)
            place = sum([at * (one + more) for at, one, more in zip(scaled, self._linear, leaning, strict=True)])
            self._latest = start = Start(values, scaled, leaning, place)
        return start

    def _placed_after(self, values: Sequence[float], changes: Changes, since: float) -> int:
        """The segment after so many steps, by the scorer itself."""
        changed = list(values)
        for feature, motion in changes:
            changed[feature] = value_after(motion, since)
        return self.scorer.place(changed).nearest

    def _settled(self, index: int, at: float, values: Sequence[float], changes: Changes, since: float) -> int:
        """The segment at a place, which is surely among those alike around it, though not surely this one of them."""
        beside = [abs(at - middle) for middle in self._line.middles[max(0, index - 1) : index + 1]]
        if min(beside) > self._doubt:
            return self._line.order[index]
        return self._placed_after(values, changes, since)

    def _region(self, wanted: frozenset[int]) -> Region:
        found = self._regions.get(wanted)
        if found is None:
            found = self._regions[wanted] = self._region_of([index in wanted for index in self._line.order])
        return found

    def _region_of(self, wanted: Sequence[bool]) -> Region:
        edges = [-math.inf, *self._line.middles, math.inf]
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
        self.together = _move_together(movers)

    @property
    def rests(self) -> bool:
        """Whether nothing moves."""
        return not self._movers

    def at(self, since: float) -> float:
        """The place after so many steps."""
        gone = [_scaled(mover, since) - first for mover, first in zip(self._movers, self._scaled, strict=True)]
        place = self._place
        for far, slope, row in zip(gone, self._slopes, self._products, strict=True):
            place += far * (slope + sum(map(mul, row, gone)))
        return place

    def crosses(self, since: float, low: float, high: float) -> float | None:
        """After how many steps the place first reaches `low` or `high`, between which it is after `since` steps.

        Not later than that, and `since` or less at the earliest; None where it never does. The movers must move
        together, so that their logs differ by constants.
        """
        a, b, _, _ = self._movers[0][1]
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
        pace = self._movers[0][1][1]
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


class _Rise:
    """The course of most customers: a single feature moves, and it rises steadily."""

    together, rests = True, False

    def __init__(self, mover: Mover, place: float, scaled: float, slope: float, bend: float) -> None:
        self._mover, self._place, self._scaled, self._slope, self._bend = mover, place, scaled, slope, bend

    def at(self, since: float) -> float:
        """The place after so many steps."""
        _, (a, b, _, _), low, high, mean, scale = self._mover
        value = a + b * since
        far = (math.log1p(low if value < low else high if value > high else value) - mean) / scale - self._scaled
        return self._place + far * (self._slope + far * self._bend)

    def crosses(self, since: float, low: float, high: float) -> float | None:
        """As `_Course.crosses`."""
        _, (a, b, _, _), lowest, highest, mean, scale = self._mover
        value = a + b * since
        if value >= highest:
            return None
        now = (math.log1p(value if value > lowest else lowest) - mean) / scale - self._scaled
        end = (math.log1p(highest) - mean) / scale - self._scaled
        rest = self._place
        far = min(_root(self._bend, self._slope, rest - low, now), _root(self._bend, self._slope, rest - high, now))
        if far > end + SLACK:
            return None
        return float((math.expm1((far + self._scaled) * scale + mean) - a) / b)


def _scaled(mover: Mover, since: float) -> float:
    _, (a, b, p, q), low, high, mean, scale = mover
    value = (a + b * since) / (p + q * since)
    return (math.log1p(low if value < low else high if value > high else value) - mean) / scale


def _move_together(movers: Sequence[Mover]) -> bool:
    """Whether all rise steadily, and their logs differ by constants."""
    if not movers:
        return True
    a, b, _, _ = movers[0][1]
    return all(q == 0 and pace > 0 and (1 + start) * b == (1 + a) * pace for _, (start, pace, _, q), *_ in movers)


def _root(bend: float, pull: float, level: float, now: float) -> float:
    """The least x > now with bend x² + pull x + level = 0; infinite where there is none."""
    square = pull * pull - 4 * bend * level
    if not 0 <= square < math.inf:  # an infinite level is never reached
        return math.inf
    # of the two ways to write a root, the one that subtracts nothing alike (Press et al., Numerical Recipes, 5.6)
    half = -(pull + math.copysign(math.sqrt(square), pull)) / 2
    one = half / bend if bend else math.inf
    other = level / half if half else math.inf
    if one <= now:
        return other if other > now else math.inf
    return one if one < other or other <= now else other
