"""What becomes of one customer along a value axis, in closed form.

Along an axis segments are intervals: a customer enters another one where the place on the axis crosses the middle
between two centres. With the log of one figure moving, the place is a quadratic function of that log, and the crossing
is a root. Further orders move several figures, each in its own way; there are few of them, and all are looked at.
Where a place is too near to a border for float64 to tell its side, or where features move in other ways, the answer is
`InDoubt`, and the step is left to be looked for as the scorer itself places customers.
"""

import math
from bisect import bisect_left
from collections.abc import Collection, Sequence

from models.axis_line import Bounds, Line, Start
from models.scorer import Scorer

SLACK = 1e-9  # of a step, by which a root is taken to lie earlier: rounding must not hide the step at which it lies
LATEST = 50.0  # the log of a figure beyond all there are; much higher, and its exponential overflows
# Features that time or an order changes in ways not spoken of here.
ELSEWHERE = frozenset({"tenure", "average_order_value", "return_rate"})


class InDoubt(Exception):
    """The step cannot be told in closed form."""


class Region:
    """For each place in the order of the centres along the axis: whether its segment is wanted, and from where to
    where those around it are alike in that."""

    __slots__ = ("high", "low", "wanted")

    def __init__(self, wanted: list[bool], low: list[float], high: list[float]) -> None:
        self.wanted = wanted
        self.low = low
        self.high = high


class Orders:
    """What a customer's further orders start from: orders made, net value, days since the first, and what an order is
    worth."""

    __slots__ = ("frequency", "monetary", "tenure", "value")

    def __init__(self, frequency: float, monetary: float, tenure: float, value: float) -> None:
        self.frequency = frequency
        self.monetary = monetary
        self.tenure = tenure
        self.value = value


Way = tuple[float, float]  # by what rate and from where a feature, as scaled, goes with the log of 1 + its value
Step = tuple[int, int]  # the number of steps, and the index of the segment they lead to


class AxisOutlook:
    """The outlook along the axis of one scorer, whose features are recency, frequency, monetary, perhaps the mean gap,
    and others that neither time nor the same orders again change."""

    def __init__(self, line: Line, features: Sequence[str], doubt: float) -> None:
        self.line, self.doubt = line, doubt
        self._recency = features.index("recency")
        self._frequency = features.index("frequency")
        self._monetary = features.index("monetary")
        self._gap: int | None = features.index("mean_gap") if "mean_gap" in features else None
        self._just_bought = just_bought(line.bounds[self._recency])
        self._both = [] if self._gap is None else pieces([line.bounds[self._recency], line.bounds[self._gap]])

    @classmethod
    def of(cls, scorer: Scorer, certain: float) -> "AxisOutlook | None":
        """The outlook of a scorer that has one in closed form; `certain` is the gap of squared distances from which on
        their order is certain."""
        features = scorer.features
        closed = {"recency", "frequency", "monetary"} <= set(features) and ELSEWHERE.isdisjoint(features)
        if scorer.line is None or not closed or scorer.arrays.transform != "log1p":
            return None
        return cls(scorer.line, features, scorer.line.doubt(certain))

    def region(self, wanted: Collection[int]) -> Region:
        """Where the wanted segments, by their indices, lie along the axis."""
        alike = [index in wanted for index in self.line.order]
        low, high = [-math.inf, *self.line.middles], [*self.line.middles, math.inf]
        for index in range(1, len(alike)):
            if alike[index] == alike[index - 1]:
                low[index] = low[index - 1]
        for index in range(len(alike) - 2, -1, -1):
            if alike[index] == alike[index + 1]:
                high[index] = high[index + 1]
        return Region(alike, low, high)

    def decay(self, values: Sequence[float], one_order: bool, elsewhere: Region, last: int, done: float) -> Step | None:
        """The first day t in 1 … `last` on which, t - `done` days from now, a customer who buys nothing is elsewhere.

        Raises InDoubt.
        """
        start, index = self.line.start(values), self._recency
        slope, bend = self._slope(start, index), self.line.products[index][index]
        if not one_order or self._gap is None:
            return self._first(values[index], index, start, start.place, slope, bend, elsewhere, last, done)
        if values[self._gap] != values[index]:  # of a customer with one order both are the days since
            raise InDoubt
        return self._first_of_both(values[index], start, self._gap, elsewhere, last, done)

    def purchases(
        self, values: Sequence[float], orders: Orders, better: Region, most_orders: int, dearest: int
    ) -> tuple[Step | None, Step | None]:
        """The fewest further orders of the usual value that lead to a better segment, and the least value of a single
        one that does. Raises InDoubt."""
        start, products = self.line.start(values), self.line.products
        r, f, m, g = self._recency, self._frequency, self._monetary, self._gap
        recent, often, much = products[r], products[f], products[m]
        far = self._just_bought - start.scaled[r]
        place = start.place + far * (self._slope(start, r) + far * recent[r])
        slope_f = self._slope(start, f) + 2 * far * recent[f]
        slope_m = self._slope(start, m) + 2 * far * recent[m]
        slope_g = 0.0 if g is None else self._slope(start, g) + 2 * far * recent[g]
        gaps = max(orders.frequency, 1.0) - 1
        by_orders: Step | None = None
        first_place, first_slope = place, slope_m
        for t in range(1, most_orders + 1):
            far_f = self._way(start, f, orders.frequency + t)
            at, slope = place + far_f * (slope_f + far_f * often[f]), slope_m + 2 * far_f * often[m]
            if g is not None:
                far_g = self._way(start, g, orders.tenure / (gaps + t))
                at += far_g * (slope_g + far_g * products[g][g] + 2 * far_f * often[g])
                slope += 2 * far_g * much[g]
            if t == 1:  # before its value is known
                first_place, first_slope = at, slope
            far_m = self._way(start, m, orders.monetary + t * orders.value)
            index = self._wanted_at(at + far_m * (slope + far_m * much[m]), better)
            if index is not None:
                by_orders = (t, index)
                break
        by_spend = self._first(orders.monetary, m, start, first_place, first_slope, much[m], better, dearest, 0.0)
        return by_orders, by_spend

    def _slope(self, start: Start, feature: int) -> float:
        return self.line.linear[feature] + 2 * start.leaning[feature]

    def _way(self, start: Start, feature: int, value: float) -> float:
        """How far a feature goes, as scaled, to a value."""
        low, high, mean, scale = self.line.bounds[feature]
        clipped = low if value < low else high if value > high else value
        return (math.log1p(clipped) - mean) / scale - start.scaled[feature]

    def _wanted_at(self, at: float, region: Region) -> int | None:
        """The wanted segment at a place; None where it is none of them."""
        middles, doubt = self.line.middles, self.doubt
        index = bisect_left(middles, at)
        if (index and at - middles[index - 1] <= doubt) or (index < len(middles) and middles[index] - at <= doubt):
            raise InDoubt
        return self.line.order[index] if region.wanted[index] else None

    def _first(
        self,
        a: float,
        feature: int,
        start: Start,
        place: float,
        slope: float,
        bend: float,
        region: Region,
        last: int,
        done: float,
    ) -> Step | None:
        """The first step at which a wanted segment is entered, with a single feature that grows by one a step from `a`.

        The place is place + far · (slope + far · bend), with `far` the way of the scaled feature from its start.
        """
        lowest, highest, mean, scale = self.line.bounds[feature]
        scaled = start.scaled[feature]
        t = 1
        while t <= last:
            value = a + (t - done)
            clipped = lowest if value < lowest else highest if value > highest else value
            far = (math.log1p(clipped) - mean) / scale - scaled
            at = place + far * (slope + far * bend)
            found = self._wanted_at(at, region)
            if found is not None:
                return t, found
            if value >= highest:
                return None
            index = bisect_left(self.line.middles, at)
            root = min(
                _root(bend, slope, place - region.low[index], far), _root(bend, slope, place - region.high[index], far)
            )
            log = (root + scaled) * scale + mean
            if log > math.log1p(highest) + SLACK:
                return None
            t = max(t + 1, math.ceil((1 - SLACK) * (math.expm1(log) - a) + done - SLACK))
        return None

    def _first_of_both(
        self, value: float, start: Start, gap: int, region: Region, last: int, done: float
    ) -> Step | None:
        """The same for recency and the mean gap of a customer with one order, which are one figure."""
        t = 1
        for upto, (recency_way, gap_way) in self._both:
            if value + (t - done) >= upto:
                continue
            level, pull, bend = self._quadratic(start, gap, recency_way, gap_way)
            while t <= last and value + (t - done) < upto:
                log = math.log1p(value + (t - done))
                at = level + log * (pull + log * bend)
                found = self._wanted_at(at, region)
                if found is not None:
                    return t, found
                index = bisect_left(self.line.middles, at)
                root = min(
                    _root(bend, pull, level - region.low[index], log),
                    _root(bend, pull, level - region.high[index], log),
                )
                until = min(math.expm1(min(root, LATEST)), upto) - value
                t = max(t + 1, min(last + 1, math.ceil((1 - SLACK) * until + done - SLACK)))
        return None

    def _quadratic(self, start: Start, gap: int, recency_way: Way, gap_way: Way) -> tuple[float, float, float]:
        """The place as level + pull · log + bend · log², where the scaled features are rate · log + from."""
        products, r, g = self.line.products, self._recency, gap
        (rate_r, from_r), (rate_g, from_g) = recency_way, gap_way
        far_r, far_g = from_r - start.scaled[r], from_g - start.scaled[g]
        slope_r, slope_g = self._slope(start, r), self._slope(start, g)
        rr, rg, gg = products[r][r], products[r][g], products[g][g]
        level = start.place + far_r * (slope_r + far_r * rr) + far_g * (slope_g + far_g * gg + 2 * far_r * rg)
        pull = rate_r * (slope_r + 2 * (rr * far_r + rg * far_g)) + rate_g * (slope_g + 2 * (gg * far_g + rg * far_r))
        return level, pull, rr * rate_r * rate_r + gg * rate_g * rate_g + 2 * rg * rate_r * rate_g


def just_bought(recency: Bounds) -> float:
    """The recency of somebody who buys, as scaled; a model may know of none so short."""
    low, _, mean, scale = recency
    return (math.log1p(max(low, 0.0)) - mean) / scale


def pieces(figures: Sequence[Bounds]) -> list[tuple[float, list[Way]]]:
    """From bound to bound of features that are one figure: up to which value of it, and each one's way."""
    ends = sorted({bound for low, high, _, _ in figures for bound in (low, high)})
    return [
        (upto, [_way_between(bounds, since, upto) for bounds in figures])
        for since, upto in zip([-1.0, *ends], [*ends, math.inf], strict=True)
    ]


def _way_between(bounds: Bounds, since: float, upto: float) -> Way:
    low, high, mean, scale = bounds
    if since >= high or upto <= low:
        return 0.0, (math.log1p(high if since >= high else low) - mean) / scale
    return 1 / scale, -mean / scale


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
