"""When customers change segment, in closed form.

While the log of one figure moves, or the figure itself if values are not transformed, the height of a centre is a
quadratic function of it: the squared distance less the point's own square. Two centres are equally near at a root of
the difference. Further orders move several figures; there are few of them, and all are looked at. A customer to whom
two centres are too nearly equally near for float64 is doubtful, and left to `models.forecast.trajectory`.

The formulas are the same for one customer and for n: a number is a float, or an array of shape (n,). `Arithmetic` has
the operations that differ. One customer in arrays of length one would take ten times as long.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from operator import mul, not_
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.scorer_arrays import TRANSFORMS, ScorerArrays

Number = Any  # a float, or an array of shape (n,)
Truth = Any  # a bool, or an array of shape (n,)
Flags = NDArray[np.bool_]

SLACK = 1e-9  # of a step, by which a root is taken to lie earlier: rounding must not hide the step at which it lies
LATEST = 50.0  # the log of a figure beyond all there are; much higher, and its exponential overflows
TRIES = 8  # steps that are looked at between two bounds of a figure


class Arithmetic(NamedTuple):
    """Operations on the numbers of one customer, or of n. A division by zero is infinite, or no number."""

    table: Callable[[NDArray[Any]], Any]
    log1p: Callable[[Number], Number]
    expm1: Callable[[Number], Number]
    sqrt: Callable[[Number], Number]
    ceil: Callable[[Number], Number]  # of finite numbers
    copysign: Callable[[Number, Number], Number]
    divide: Callable[[Number, Number], Number]
    minimum: Callable[[Number, Number], Number]
    maximum: Callable[[Number, Number], Number]
    where: Callable[[Truth, Any, Any], Any]
    negate: Callable[[Truth], Truth]
    any: Callable[[Truth], bool]
    pick: Callable[[Sequence[Number], Any], Number]  # of some numbers that of this index
    two_lowest: Callable[
        [Sequence[Number]], tuple[Any, Number]
    ]  # the index of the lowest; by how much the next is higher
    search: Callable[[Any, Number], Any]  # the index of the first of ascending numbers that is not lower
    select: Callable[[Truth, Sequence[Number]], Sequence[Number]]  # the numbers of some customers
    merge: Callable[[Truth, Number, Number], Number]  # numbers of all customers, and new ones of some


def _two_lowest(numbers: Sequence[float]) -> tuple[int, float]:
    lowest, second = sorted(numbers)[:2]
    return numbers.index(lowest), second - lowest


def _two_lowest_of_many(numbers: Sequence[Any]) -> tuple[Any, Any]:
    stacked = np.array(numbers)
    index = stacked.argmin(axis=0)
    lowest = np.take_along_axis(stacked, index[None], axis=0)[0]
    np.put_along_axis(stacked, index[None], np.inf, axis=0)
    return index, stacked.min(axis=0) - lowest


def _pick_of_many(numbers: Sequence[Any], index: Any) -> Any:
    stacked = np.asarray(numbers)
    return stacked[index] if stacked.ndim == 1 else np.take_along_axis(stacked, index[None], axis=0)[0]


def _merge(those: Any, numbers: Any, new: Any) -> Any:
    merged = numbers.copy()
    merged[those] = new
    return merged


FLOATS = Arithmetic(
    table=lambda array: array.tolist(),
    log1p=math.log1p,
    expm1=math.expm1,
    sqrt=math.sqrt,
    ceil=math.ceil,
    copysign=math.copysign,
    divide=lambda number, by: number / by if by else math.inf,
    minimum=lambda one, other: one if one < other else other,
    maximum=lambda one, other: one if one > other else other,
    where=lambda holds, then, otherwise: then if holds else otherwise,
    negate=not_,
    any=bool,
    pick=lambda numbers, index: numbers[index],
    two_lowest=_two_lowest,
    search=bisect_left,
    select=lambda those, numbers: numbers,
    merge=lambda those, number, new: new,
)
ARRAYS = Arithmetic(
    table=np.asarray,
    log1p=np.log1p,
    expm1=np.expm1,
    sqrt=np.sqrt,
    ceil=np.ceil,
    copysign=np.copysign,
    divide=np.divide,
    minimum=np.minimum,
    maximum=np.maximum,
    where=np.where,
    negate=np.logical_not,
    any=np.any,
    pick=_pick_of_many,
    two_lowest=_two_lowest_of_many,
    search=np.searchsorted,
    select=lambda those, numbers: [number[those] for number in numbers],
    merge=_merge,
)


class Found(NamedTuple):
    """The first step, 0 where there is none, the index of the segment it leads to, and whether both are doubtful."""

    step: Number
    becomes: Any
    doubtful: Truth


class Orders(NamedTuple):
    """What further orders start from: orders made, net value, days since the first, and the value of an order."""

    frequency: Number
    monetary: Number
    tenure: Number
    value: Number


class Piece(NamedTuple):
    """The values of a figure between two bounds, with x the transformed figure: each of its features, as scaled, is
    rate · x + offset. The position is quadratic in x: the factor of x is `pull` and, along an axis, the sum of all
    features at x = 0 by their `weights`; that of x² is `bend`."""

    since: float
    upto: float
    moves: bool
    offsets: Sequence[float]
    pull: Any
    weights: Sequence[float]
    bend: float


# The place along the axis, or else the heights of all centres, as level + pull · x + bend · x².
Quadratic = tuple[Any, Any, float]


class ClosedForm:
    """Forecasts of one scorer, for one customer or many, as its arithmetic says."""

    def __init__(self, arrays: ScorerArrays, wanted: Flags, certain: float, arithmetic: Arithmetic) -> None:
        """`wanted` has shape (k, k): from which segment, and whether another one is. `certain` is the difference of
        squared distances from which on their order is certain."""
        self._arithmetic, self._certain, self._count = arithmetic, certain, len(wanted)
        self._wanted = arithmetic.table(wanted.ravel())
        self._axis = arrays.axis
        self._bounds = list(zip(arrays.lower, arrays.upper, arrays.mean, arrays.scale, strict=True))
        centres = np.array(arrays.centres)
        self._bases = np.square(centres).sum(axis=1).tolist()
        self._pulls = (-2 * centres).tolist()
        self._position = {name: index for index, name in enumerate(arrays.features)}
        self._log = arrays.transform == "log1p"
        self._transform = TRANSFORMS[arrays.transform][0]
        self._zero = [
            (self._transform(min(max(low, 0.0), high)) - mean) / scale for low, high, mean, scale in self._bounds
        ]
        self._pieces: dict[tuple[int, ...], list[Piece]] = {}
        if arrays.axis is not None:
            order = np.argsort(centres[:, 0])
            along = centres[order, 0]
            middles = (along[1:] + along[:-1]) / 2
            low, high = np.full(len(wanted), -math.inf), np.full(len(wanted), math.inf)
            low[order[1:]], high[order[:-1]] = middles, middles
            self._order, self._middles = arithmetic.table(order), arithmetic.table(middles)
            self._low, self._high = arithmetic.table(low), arithmetic.table(high)  # of each segment
            self._doubt = certain / float(2 * np.diff(along).min())
            # each product of two features once
            products = np.array(arrays.axis.products)
            self._triangle = [[*(2 * row[:index]).tolist(), float(row[index])] for index, row in enumerate(products)]

    def scaled(self, values: Sequence[Number]) -> list[Number]:
        return [self._scaled(feature, value) for feature, value in enumerate(values)]

    def grow(self, features: tuple[int, ...], value: Number, scaled: Sequence[Number], nearest: Any, last: Number,
             done: Number = 0.0) -> Found:  # fmt: skip
        """The first step t in 1 … `last` in a wanted segment, if at it these features are `value` + t - `done`."""
        m, count, by_log = self._arithmetic, self._count, self._log
        step, becomes, doubtful = 0 * nearest, nearest, nearest < 0
        looked_for, t = nearest >= 0, 1
        if features not in self._pieces:
            self._pieces[features] = list(self._cut(features))
        for piece in self._pieces[features]:
            quadratic: Quadratic | None = None
            for _ in range(TRIES):
                now = value + (t - done)
                here = looked_for & (t <= last) & (now < piece.upto)
                if not m.any(here):
                    break
                if quadratic is None:
                    quadratic = self._quadratic(features, piece, scaled)
                figure = m.maximum(now, piece.since) if piece.moves else 0.0
                if by_log and piece.moves:
                    figure = m.log1p(figure)
                at, beside = self._look(self._position_after(quadratic, figure))
                stops = here & (self._wanted[nearest * count + at] | beside)
                if m.any(stops):
                    step, becomes = m.where(stops, t, step), m.where(stops, at, becomes)
                    doubtful = doubtful | (stops & beside)
                    looked_for = looked_for & m.negate(stops)
                    if not m.any(looked_for):
                        return Found(step, becomes, doubtful)
                until = piece.upto
                if piece.moves:
                    root = self._next_root(quadratic, at, figure)
                    until = m.minimum(m.expm1(m.minimum(root, LATEST)) if by_log else root, until)
                later = (1 - SLACK) * (until - value) + done - SLACK
                t = m.where(here, m.maximum(t + 1, m.ceil(m.minimum(later, last + 1))), t)
            else:
                doubtful = doubtful | (looked_for & (t <= last) & (value + (t - done) < piece.upto))
                looked_for = looked_for & m.negate(doubtful)
        return Found(step, becomes, doubtful)

    def purchases(
        self, scaled: Sequence[Number], orders: Orders, nearest: Any, most: int, dearest: Number
    ) -> tuple[Found, Found]:
        """The fewest further orders of the usual value, at most `most`, that lead to a wanted segment, and the least
        value of a single one, up to `dearest`, that does."""
        m, position = self._arithmetic, self._position
        once = self._ordered(list(scaled), orders, 1)
        money = position.get("monetary")
        if money is None:
            by_spend = self._at_once(once, nearest)
        else:
            by_spend = self.grow((money,), orders.monetary, once, nearest, dearest)
        step, becomes, doubtful = 0 * nearest, nearest, nearest < 0
        looked_for = nearest >= 0
        now, some, start = nearest, orders, scaled  # of those still looked for
        for t in range(1, most + 1):
            places = once if t == 1 else self._ordered(list(start), some, t)
            if money is not None:
                places[money] = self._scaled(money, some.monetary + t * some.value)
            at, beside = self._look(self._position_of(places))
            arrived = self._wanted[now * self._count + at]
            stops = arrived | beside
            if m.any(stops):
                step = m.merge(looked_for, step, m.where(arrived, t, 0))
                becomes = m.merge(looked_for, becomes, m.where(arrived, at, now))
                doubtful = m.merge(looked_for, doubtful, beside)
                goes_on = m.negate(stops)
                if not m.any(goes_on):
                    break
                looked_for = m.merge(looked_for, looked_for, goes_on)
                now, *columns = m.select(goes_on, [now, *some, *start])
                some, start = Orders(*columns[:4]), columns[4:]
        return Found(step, becomes, doubtful), by_spend

    def _at_once(self, scaled: Sequence[Number], nearest: Any) -> Found:
        at, beside = self._look(self._position_of(scaled))
        return Found(self._arithmetic.where(self._wanted[nearest * self._count + at], 1, 0), at, beside)

    def _ordered(self, scaled: list[Number], orders: Orders, t: int) -> list[Number]:
        """The scaled features after t further orders, before they are paid."""
        position = self._position
        if (recency := position.get("recency")) is not None:
            scaled[recency] = self._zero[recency]
        if (frequency := position.get("frequency")) is not None:
            scaled[frequency] = self._scaled(frequency, orders.frequency + t)
        if (gap := position.get("mean_gap")) is not None:
            gaps = self._arithmetic.maximum(orders.frequency, 1.0) - 1 + t
            scaled[gap] = self._scaled(gap, orders.tenure / gaps)
        return scaled

    def _scaled(self, feature: int, value: Number) -> Number:
        m, (low, high, mean, scale) = self._arithmetic, self._bounds[feature]
        clipped = m.minimum(m.maximum(value, low), high)
        return ((m.log1p(clipped) if self._log else clipped) - mean) / scale

    def _position_of(self, scaled: Sequence[Number]) -> Any:
        if self._axis is None:
            return [base + sum(map(mul, pull, scaled)) for base, pull in zip(self._bases, self._pulls, strict=True)]
        ways = [
            linear + sum(map(mul, row, scaled)) for linear, row in zip(self._axis.linear, self._triangle, strict=True)
        ]
        return sum(map(mul, scaled, ways))

    def _look(self, position: Any) -> tuple[Any, Truth]:
        """The index of the nearest centre, and whether another one is too nearly as near to be sure."""
        if self._axis is None:
            at, gap = self._arithmetic.two_lowest(position)
            return at, gap <= self._certain
        at = self._order[self._arithmetic.search(self._middles, position)]
        return at, (position - self._low[at] <= self._doubt) | (self._high[at] - position <= self._doubt)

    def _quadratic(self, features: Sequence[int], piece: Piece, scaled: Sequence[Number]) -> Quadratic:
        start = list(scaled)
        for feature, offset in zip(features, piece.offsets, strict=True):
            start[feature] = offset
        pull = piece.pull if self._axis is None else piece.pull + sum(map(mul, piece.weights, start))
        return self._position_of(start), pull, piece.bend

    def _position_after(self, quadratic: Quadratic, x: Number) -> Any:
        level, pull, bend = quadratic
        if self._axis is not None:
            return level + x * (pull + x * bend)
        return [one + x * slope for one, slope in zip(level, pull, strict=True)]

    def _next_root(self, quadratic: Quadratic, at: Any, now: Number) -> Number:
        """The least x > now at which another centre is as near as that of index `at`; infinite where there is none."""
        m, (level, pull, bend) = self._arithmetic, quadratic
        if self._axis is not None:
            low, high = level - self._low[at], level - self._high[at]
            return m.minimum(_root(m, bend, pull, low, now), _root(m, bend, pull, high, now))
        here, slope, root = m.pick(level, at), m.pick(pull, at), math.inf
        for other, steeper in zip(level, pull, strict=True):
            crossing = m.divide(other - here, slope - steeper)
            root = m.minimum(root, m.where(crossing > now, crossing, math.inf))
        return root

    def _cut(self, features: Sequence[int]) -> Iterator[Piece]:
        bounds = [self._bounds[feature] for feature in features]
        ends = sorted({end for low, high, _, _ in bounds for end in (low, high)})
        for since, upto in pairwise([-math.inf, *ends, math.inf]):
            rates, offsets = np.zeros(len(self._bounds)), []
            for feature, each in zip(features, bounds, strict=True):
                rates[feature], offset = self._way(each, since, upto)
                offsets.append(offset)
            pull: Any
            weights: list[float] = []
            bend = 0.0
            if self._axis is None:
                pull = (np.array(self._pulls) @ rates).tolist()
            else:
                leaning = rates @ np.array(self._axis.products)
                pull, weights, bend = float(rates @ self._axis.linear), (2 * leaning).tolist(), float(leaning @ rates)
            yield Piece(since, upto, bool(rates.any()), offsets, pull, weights, bend)

    def _way(self, bounds: tuple[float, float, float, float], since: float, upto: float) -> tuple[float, float]:
        low, high, mean, scale = bounds
        if since >= high or upto <= low:
            return 0.0, (self._transform(high if since >= high else low) - mean) / scale
        return 1 / scale, -mean / scale


def _root(m: Arithmetic, bend: Number, pull: Number, level: Number, now: Number) -> Number:
    """The least x > now with bend x² + pull x + level = 0; infinite where there is none."""
    square = pull * pull - 4 * bend * level
    real = (square >= 0) & (square < math.inf)  # beyond the outermost segments there is none
    # of the two ways to write a root, the one that subtracts nothing alike (Press et al., Numerical Recipes, 5.6)
    half = -(pull + m.copysign(m.sqrt(m.where(real, square, 0.0)), pull)) / 2
    one, other = m.divide(half, bend), m.divide(level, half)
    root = m.minimum(m.where(one > now, one, math.inf), m.where(other > now, other, math.inf))
    return m.where(real, root, math.inf)
