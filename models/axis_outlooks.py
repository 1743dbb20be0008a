"""What becomes of many customers along a value axis: `models.axis_outlook` on arrays.

Whoever is still looked for takes each step together with all others. Who is in doubt is named, and left to those who
ask the scorer.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.axis import Values
from models.axis_line import Line
from models.axis_outlook import LATEST, SLACK, AxisOutlook, Region, just_bought, pieces

Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]
# The places of some customers after each of m steps, shape (n, m), by their rows and those, shape (n, m).
Places = Callable[[Indices, Values], Values]

# Steps that are looked at at once: some at first, as most customers leave within months, then ever twice as many; but
# no more places at once than a megabyte has.
FEW_STEPS = 64
MOST_PLACES = 1 << 17


class Found(NamedTuple):
    """The first step of each of n customers, 0 where there is none; the index of the segment it leads to; and for whom
    neither can be told in closed form. Arrays of shape (n,)."""

    steps: Indices
    becomes: Indices
    doubtful: Flags


class OrdersOfMany(NamedTuple):
    """What further orders of n customers start from, as in `models.axis_outlook.Orders`: shape (n,) each."""

    frequency: Values
    monetary: Values
    tenure: Values
    value: Values

    def of(self, those: Flags) -> "OrdersOfMany":
        """Of some of them."""
        return OrdersOfMany(*(column[those] for column in self))


class AxisOutlooks:
    """The outlook along the axis of one scorer that has an `AxisOutlook`. Customers are known by their `values` of
    shape (n, d), and by `nearest`, the index of the segment each is in, of shape (n,) as all else."""

    def __init__(
        self, one: AxisOutlook, features: Sequence[str], elsewhere: Sequence[Region], better: Sequence[Region]
    ) -> None:
        """`one` tells the same of one customer at a time. `elsewhere` and `better` have, for each segment, what is
        wanted of those who leave it or go up from it."""
        line, doubt = one.line, one.doubt
        self._low, self._high, self._mean, self._scale = (
            np.array(column)[:, None] for column in zip(*line.bounds, strict=True)
        )
        self._linear, self._products = np.array(line.linear)[:, None], np.array(line.products)
        self._recency = features.index("recency")
        self._frequency = features.index("frequency")
        self._monetary = features.index("monetary")
        self._gap = features.index("mean_gap") if "mean_gap" in features else None
        self._just_bought = just_bought(line.bounds[self._recency])
        self._bounds = line.bounds
        self._pieces = {feature: pieces([line.bounds[feature]]) for feature in (self._recency, self._monetary)}
        self._both = [] if self._gap is None else pieces([line.bounds[self._recency], line.bounds[self._gap]])
        self._elsewhere, self._better = _Regions(line, doubt, elsewhere), _Regions(line, doubt, better)

    def decays(self, values: Values, one_order: Flags, nearest: Indices, last: float, done: Values) -> Found:
        """The first day t in 1 … `last` on which, t - `done` days from now, customers who buy nothing are elsewhere."""
        start, recency = self._started(values), values[:, self._recency]
        search = _Search(self._elsewhere, nearest, np.full(len(values), last), done)
        if self._gap is None or not one_order.any():
            one_order = np.zeros(len(values), dtype=np.bool_)
        else:
            gap = values[:, self._gap]
            for piece in self._by_both(start, self._gap):
                search.along(piece, recency, one_order & (gap == recency))
            # who counts other days than are documented: two figures, and no closed form
            apart = np.flatnonzero(one_order & (gap != recency))
            ends = np.maximum(self._high[self._recency] - recency, self._high[self._gap] - gap)  # then neither changes
            search.step_by_step(apart, np.ceil(ends + done), self._by_each(start, recency, gap, self._gap))
        for piece in self._by(self._recency, start):
            search.along(piece, recency, ~one_order)
        return search.found

    def purchases(
        self, values: Values, orders: OrdersOfMany, nearest: Indices, most: int, dearest: Values
    ) -> tuple[Found, Found]:
        """The fewest further orders of the usual value, at most `most`, that lead to a better segment, and the least
        value of a single one, up to `dearest`, that does."""
        start = self._moved(self._started(values), self._recency, self._just_bought)
        now = np.zeros(len(values))
        by_orders = _Search(self._better, nearest, np.full(len(values), float(most)), now)
        by_spend = _Search(self._better, nearest, dearest, now)
        of_one_value = self._after(start, orders, 1)
        for piece in self._by(self._monetary, of_one_value):
            by_spend.along(piece, orders.monetary, np.ones(len(values), dtype=np.bool_))
        rows = np.arange(len(values))
        for t in range(1, most + 1):
            ordered = of_one_value if t == 1 else self._after(start, orders, t)
            paid = self._scaled(self._monetary, orders.monetary + t * orders.value)
            on, _ = by_orders.look(rows, float(t), self._moved(ordered, self._monetary, paid).place)
            if not on.any():
                break
            rows, start, orders = rows[on], start.of(on), orders.of(on)
        return by_orders.found, by_spend.found

    def _started(self, values: Values) -> "_Starts":
        columns = np.ascontiguousarray(values.T)
        scaled = (np.log1p(np.clip(columns, self._low, self._high)) - self._mean) / self._scale
        leaning = self._products @ scaled
        return _Starts(scaled, self._linear + 2 * leaning, np.sum(scaled * (self._linear + leaning), axis=0))

    def _scaled(self, feature: int, value: Values) -> Values:
        low, high, mean, scale = self._bounds[feature]
        return np.asarray((np.log1p(np.clip(value, low, high)) - mean) / scale)

    def _moved(self, start: "_Starts", feature: int, to: Values | float) -> "_Starts":
        """The customers once a feature, as scaled, is another."""
        weights = self._products[feature]
        far = to - start.scaled[feature]
        place = start.place + far * (start.slope[feature] + far * weights[feature])
        return _Starts(start.scaled, start.slope + 2 * far * weights[:, None], place)

    def _after(self, start: "_Starts", orders: OrdersOfMany, t: int) -> "_Starts":
        """After t further orders, before they are paid."""
        start = self._moved(start, self._frequency, self._scaled(self._frequency, orders.frequency + t))
        if self._gap is None:
            return start
        gaps = np.maximum(orders.frequency, 1.0) - 1 + t
        return self._moved(start, self._gap, self._scaled(self._gap, orders.tenure / gaps))

    def _by(self, feature: int, start: "_Starts") -> Iterator["_Piece"]:
        """The place by a feature that nothing else moves with."""
        bend = float(self._products[feature, feature])
        for upto, ((rate, since),) in self._pieces[feature]:
            yield _Piece(upto, rate, since - start.scaled[feature], start.place, start.slope[feature], bend)

    def _by_both(self, start: "_Starts", gap: int) -> Iterator["_Piece"]:
        """The place by the recency and the mean gap of customers with one order, which are one figure."""
        recency, products = self._recency, self._products
        for upto, ((rate_r, from_r), (rate_g, from_g)) in self._both:
            at = self._moved(self._moved(start, recency, from_r), gap, from_g)
            pull = rate_r * at.slope[recency] + rate_g * at.slope[gap]
            rates = np.array([rate_r, rate_g])
            bend = float(rates @ products[np.ix_([recency, gap], [recency, gap])] @ rates)
            yield _Piece(upto, 1.0, np.zeros(len(pull)), at.place, pull, bend)

    def _by_each(self, start: "_Starts", recency: Values, gap: Values, feature: int) -> "Places":
        """The places after some days where they are two figures."""
        r, g, products = self._recency, feature, self._products

        def places(rows: Indices, days: Values) -> Values:
            far_r = self._scaled(r, recency[rows, None] + days) - start.scaled[r, rows, None]
            far_g = self._scaled(g, gap[rows, None] + days) - start.scaled[g, rows, None]
            slope_r = start.slope[r, rows, None] + far_r * products[r, r] + 2 * far_g * products[r, g]
            slope_g = start.slope[g, rows, None] + far_g * products[g, g]
            return np.asarray(start.place[rows, None] + far_r * slope_r + far_g * slope_g)

        return places


class _Starts(NamedTuple):
    """n customers on the axis: the d features as scaled, and how steeply the place changes with each, of shape (d, n);
    the place, of shape (n,). What was moved since is in the slopes and in the place."""

    scaled: Values
    slope: Values
    place: Values

    def of(self, those: Flags) -> "_Starts":
        return _Starts(self.scaled[:, those], self.slope[:, those], self.place[those])


class _Piece(NamedTuple):
    """The place of n customers by one figure x, up to a value of it: level + u pull + u² bend, where u is
    offset + rate log(1 + x)."""

    upto: float
    rate: float
    offset: Values
    level: Values
    pull: Values
    bend: float


class _Regions:
    """The regions of k segments as arrays of shape (k, k): from which segment, and the place among the segments."""

    def __init__(self, line: Line, doubt: float, regions: Sequence[Region]) -> None:
        self.doubt = doubt
        self.order = np.array(line.order, dtype=np.intp)
        self.middles = np.array(line.middles)
        self.below, self.above = np.append(-np.inf, self.middles), np.append(self.middles, np.inf)
        self.wanted = np.array([region.wanted for region in regions])
        self.low = np.array([region.low for region in regions])
        self.high = np.array([region.high for region in regions])

    def is_beside(self, at: Values, index: Indices) -> Flags:
        """Who is too near to a border to be told on which side, being between these middles."""
        return np.asarray(np.minimum(at - self.below[index], self.above[index] - at) <= self.doubt)


class _Search:
    """Looks for the first step at which each of n customers is in a wanted segment."""

    def __init__(self, regions: _Regions, nearest: Indices, last: Values, done: Values) -> None:
        self._regions, self._nearest, self._last, self._done = regions, nearest, last, done
        self._t = np.ones(len(nearest))
        self._steps = np.zeros(len(nearest), dtype=np.intp)
        self._becomes = nearest.copy()
        self.doubtful = np.zeros(len(nearest), dtype=np.bool_)

    @property
    def found(self) -> Found:
        return Found(self._steps, self._becomes, self.doubtful)

    def look(self, rows: Indices, t: Values | float, at: Values) -> tuple[Flags, Indices]:
        """Notes which of these customers are in a wanted segment, being at these places at step t, and of whom that
        cannot be told. Returns who is looked for on, and the places' indices among the segments."""
        regions = self._regions
        index = regions.middles.searchsorted(at)
        beside = regions.is_beside(at, index)
        arrived = regions.wanted[self._nearest[rows], index]
        self.doubtful[rows[beside]] = True
        there = arrived & ~beside
        self._steps[rows[there]] = np.broadcast_to(t, rows.shape)[there]
        self._becomes[rows[there]] = regions.order[index[there]]
        return ~(arrived | beside), index

    def along(self, piece: _Piece, start: Values, those: Flags) -> None:
        """Looks on, to the end of a piece, for those customers whose figure grows by one a step from `start`."""
        upto, rate, bend = piece.upto, piece.rate, piece.bend
        rows = np.flatnonzero(those & (self._steps == 0) & ~self.doubtful & self._is_ahead(slice(None), start, upto))
        while rows.size:
            t, done, since = self._t[rows], self._done[rows], start[rows]
            offset, level, pull = piece.offset[rows], piece.level[rows], piece.pull[rows]
            u = offset + rate * np.log1p(since + (t - done)) if rate else offset
            on, index = self.look(rows, t, level + u * (pull + u * bend))
            nearest, regions = self._nearest[rows], self._regions
            if rate:
                low, high = level - regions.low[nearest, index], level - regions.high[nearest, index]
                root = np.minimum(_root(bend, pull, low, u), _root(bend, pull, high, u))
                until = np.minimum(np.expm1(np.minimum((root - offset) / rate, LATEST)), upto) - since
            else:
                until = upto - since
            self._t[rows] = np.maximum(t + 1, np.ceil((1 - SLACK) * until + done - SLACK))
            rows = rows[on]
            rows = rows[self._is_ahead(rows, start, upto)]

    def step_by_step(self, rows: Indices, ends: Values, places: Places) -> None:
        """Looks at every step of these customers, whose places are told, up to their `ends`, shape (n,), from which on
        they stay where they are."""
        last = np.minimum(self._last, np.maximum(ends, 1.0))
        seen, count = 0.0, FEW_STEPS
        while rows.size:
            steps = seen + np.arange(1, 1 + min(count, max(1, MOST_PLACES // rows.size)))
            at = places(rows, steps - self._done[rows, None])
            index = self._regions.middles.searchsorted(at)
            noted = self._regions.wanted[self._nearest[rows, None], index] | self._regions.is_beside(at, index)
            noted &= steps <= last[rows, None]
            those, first = noted.any(axis=1), noted.argmax(axis=1)
            self.look(rows[those], steps[first[those]], at[those, first[those]])
            rows = rows[~those]
            seen, count = steps[-1], 2 * count
            rows = rows[seen < last[rows]]

    def _is_ahead(self, rows: Indices | slice, start: Values, upto: float) -> Flags:
        """Whose next step is no later than the last, and not beyond the end of a piece."""
        t = self._t[rows]
        return np.asarray((t <= self._last[rows]) & (start[rows] + (t - self._done[rows]) < upto))


def _root(bend: float, pull: Values, level: Values, now: Values) -> Values:
    """The least x > now with bend x² + pull x + level = 0; infinite where there is none."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # what is no number is no root
        # of the two ways to write a root, the one that subtracts nothing alike (Press et al., Numerical Recipes, 5.6)
        half = -(pull + np.copysign(np.sqrt(pull * pull - 4 * bend * level), pull)) / 2
        one, other = half / bend, level / half
        return np.minimum(np.where(one > now, one, np.inf), np.where(other > now, other, np.inf))
