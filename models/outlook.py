"""What will become of a customer who buys nothing, and what it takes to move up, exactly as the scorer would say."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.axis_outlook import AxisOutlook, InDoubt, Orders, Step
from models.axis_outlooks import AxisOutlooks, OrdersOfMany
from models.course import Motion, Pathfinder
from models.features import FEATURE
from models.scorer import Scorer

Values = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

FAR = 1096  # days, three years: nobody plans for later
MOST_ORDERS = 24
DEAREST = 1000  # order values: no dearer order is worth proposing
MOST_SPEND = 2**53  # float64 has no next whole unit beyond it
DAY = 86_400_000_000  # microseconds

Known = Mapping[str, float | str]
KnownColumns = Mapping[str, Values]  # of n customers, shape (n,) each; NaN is not known
# Features that an outlook asks for where they do not decide.
ASKED = ("frequency", "monetary", "average_order_value", "return_rate", "tenure", "recency", "mean_gap")


class Decay(NamedTuple):
    """The first UTC date at whose start a customer who buys nothing is in another segment, and that one's index."""

    on: date
    becomes: int


class ByOrders(NamedTuple):
    """The fewest further typical orders that move a customer up, and the index of the segment they lead to.

    `order_value` is what each of them is worth: the customer's orders' average.
    """

    orders: int
    becomes: int
    order_value: float


class BySpend(NamedTuple):
    """The smallest value of one further order that moves a customer up, and the index of the segment it leads to.

    In whole units of the data's currency.
    """

    spend: int
    becomes: int


class NextSegment(NamedTuple):
    """What moves a customer up; at least one way is known. The two ways may lead to different segments."""

    by_orders: ByOrders | None
    by_spend: BySpend | None


class Decays(NamedTuple):
    """The same `Decay` of n customers, arrays of shape (n,): the date's ordinal, 0 where there is none, and the
    segment's index."""

    on: Indices
    becomes: Indices

    def listed(self) -> list[Decay | None]:
        """One by one."""
        dates = {on: date.fromordinal(on) for on in set(self.on.tolist()) if on}
        return [
            Decay(dates[on], becomes) if on else None
            for on, becomes in zip(self.on.tolist(), self.becomes.tolist(), strict=True)
        ]


class NextSegments(NamedTuple):
    """The same `NextSegment` of n customers, arrays of shape (n,): `orders` and `spend` are 0 where that way does not
    lead up."""

    orders: Indices
    by_orders: Indices
    order_value: Values
    spend: Indices
    by_spend: Indices

    def listed(self) -> list[NextSegment | None]:
        """One by one."""
        return [
            NextSegment(ByOrders(orders, one, worth) if orders else None, BySpend(spend, other) if spend else None)
            if orders or spend
            else None
            for orders, one, worth, spend, other in self.rows()
        ]

    def rows(self) -> Iterator[tuple[int, int, float, int, int]]:
        """The customers, each with what the columns say."""
        return zip(*(column.tolist() for column in self), strict=True)


class _Purchases:
    """What further orders start from; NaN is not known.

    `orders` is the frequency, at least 1. `counted` is 1 where `returned` and `bought` are the values behind the
    return rate, and 0 where they cannot be told and stand for a rate that stays.
    """

    __slots__ = (
        "average_order_value",
        "bought",
        "counted",
        "frequency",
        "monetary",
        "order_value",
        "orders",
        "returned",
        "tenure",
    )

    def __init__(self, frequency: float, monetary: float, tenure: float, average: float, rate: float) -> None:
        counted = 0 < rate < 1 and monetary > 0
        bought = monetary / (1 - rate) if counted else 1.0
        self.frequency = frequency
        self.monetary = monetary
        self.tenure = tenure
        self.average_order_value = average
        self.order_value = monetary / frequency if average != average and frequency > 0 else average
        self.orders = 1.0 if frequency < 1 else frequency
        self.returned = rate * bought
        self.bought = bought
        self.counted = 1.0 if counted else 0.0


class _PurchasesOfMany(NamedTuple):
    """The same of n customers, shape (n,) each."""

    frequency: Values
    monetary: Values
    tenure: Values
    average_order_value: Values
    order_value: Values
    orders: Values
    returned: Values
    bought: Values
    counted: Values

    @property
    def orders_so_far(self) -> OrdersOfMany:
        return OrdersOfMany(self.frequency, self.monetary, self.tenure, self.order_value)


# What further orders at `as_of` make of the features. All others stay, for it is the same products that are bought.
Purchase = Mapping[str, Callable[[Any], Motion]]  # of one customer's purchases, or of many's
Moves = Sequence[tuple[int, Callable[[Any], Motion]]]  # the same for a scorer's features, by their index
BY_ORDERS: Purchase = {  # t orders of the customer's order value
    "recency": lambda of: (0.0, 0.0, 1.0, 0.0),
    "frequency": lambda of: (of.frequency, 1.0, 1.0, 0.0),
    "monetary": lambda of: (of.monetary, of.order_value, 1.0, 0.0),
    "mean_gap": lambda of: (of.tenure, 0.0, of.orders - 1.0, 1.0),
    "return_rate": lambda of: (of.returned, 0.0, of.bought, of.counted * of.order_value),
}
BY_SPEND: Purchase = {  # one order of value t
    "recency": lambda of: (0.0, 0.0, 1.0, 0.0),
    "frequency": lambda of: (of.frequency + 1.0, 0.0, 1.0, 0.0),
    "monetary": lambda of: (of.monetary, 1.0, 1.0, 0.0),
    "average_order_value": lambda of: (of.average_order_value * of.orders, 1.0, of.orders + 1.0, 0.0),
    "mean_gap": lambda of: (of.tenure, 0.0, of.orders, 0.0),
    "return_rate": lambda of: (of.returned, 0.0, of.bought, of.counted),
}


class Outlook:
    """The outlook of one model's customers. What depends on the model alone is prepared once.

    A customer is known by `values`, the features that decide, in the scorer's order; by `known`, what else is known
    of the features by name; and by `nearest`, the index of the segment the scorer places the values in.
    """

    def __init__(self, scorer: Scorer, ranks: Sequence[int]) -> None:
        """`ranks` has each segment's profitability rank, 1 the best, in the order of the scorer's centres."""
        indices = range(len(ranks))
        self._position = {name: index for index, name in enumerate(scorer.features)}
        self._pathfinder = Pathfinder(scorer)
        self._grows = [FEATURE[name].grows if name in FEATURE else "never" for name in scorer.features]
        self._stays = set(self._grows) == {"never"}
        self._growing = [index for index, grows in enumerate(self._grows) if grows == "always"]
        self._growing_with_one_order = [index for index, grows in enumerate(self._grows) if grows != "never"]
        if self._growing_with_one_order == self._growing:
            self._growing_with_one_order = []
        self._by_orders, self._by_spend = (
            [(index, purchase[name]) for index, name in enumerate(scorer.features) if name in purchase]
            for purchase in (BY_ORDERS, BY_SPEND)
        )
        self._has_gap = "mean_gap" in scorer.features
        self._unsold = BY_SPEND.keys().isdisjoint(scorer.features)
        self._others = [frozenset(indices) - {index} for index in indices]
        self._better = [frozenset(one for one in indices if ranks[one] < ranks[index]) for index in indices]
        self._closed = AxisOutlook.of(scorer, self._pathfinder.certain)
        self._closed_of_many: AxisOutlooks | None = None
        if self._closed is not None:
            self._elsewhere = [self._closed.region(wanted) for wanted in self._others]
            self._upwards = [self._closed.region(wanted) for wanted in self._better]
            self._closed_of_many = AxisOutlooks(self._closed, scorer.features, self._elsewhere, self._upwards)
        self._others_of_many, self._better_of_many = (
            np.array([[one in wanted for one in indices] for wanted in each]) for each in (self._others, self._better)
        )

    def decay(self, values: Sequence[float], known: Known, as_of: datetime, nearest: int) -> Decay | None:
        """When a customer leaves the segment if nothing is bought; None where not within `FAR` days.

        `as_of` is the moment the values hold for, with its zone.
        """
        if self._stays:
            return None
        growing = self._growing
        if self._growing_with_one_order and self._frequency(values, known) == 1:
            growing = self._growing_with_one_order
        day, done = _day(as_of)
        found = self._first_day(values, growing, nearest, done)
        return Decay(day + timedelta(days=found[0]), found[1]) if found else None

    def _first_day(self, values: Sequence[float], growing: Sequence[int], nearest: int, done: float) -> Step | None:
        if self._closed is not None:
            one_order = growing is self._growing_with_one_order
            try:
                return self._closed.decay(values, one_order, self._elsewhere[nearest], FAR, done)
            except InDoubt:  # `suppress` would cost a tenth of the answer
                pass
        changes = [(index, (values[index], 1.0, 1.0, 0.0)) for index in growing]
        return self._pathfinder.first(values, changes, self._others[nearest], FAR, done)

    def decays(self, values: Values, known: KnownColumns, as_of: Sequence[datetime], nearest: Indices) -> Decays:
        """The same for n customers at once; `values` has shape (n, d), `nearest` (n,)."""
        if self._stays or not len(values):
            return Decays(np.zeros(len(values), dtype=np.intp), nearest)
        one_order = np.zeros(len(values), dtype=np.bool_)
        if "while one order" in self._grows:
            one_order = self._frequency_of_many(values, known) == 1
        day_of = {moment: _day(moment) for moment in set(as_of)}  # a batch has few moments
        days = [day_of[moment] for moment in as_of]
        done = np.array([part for _, part in days])
        steps, becomes, open_to = self._nothing_yet(nearest)
        if self._closed_of_many is not None:
            steps, becomes, open_to = self._closed_of_many.decays(values, one_order, nearest, FAR, done)
        if (rest := np.flatnonzero(open_to)).size:
            steps[rest], becomes[rest] = self._first_days(values[rest], one_order[rest], nearest[rest], done[rest])
        today = np.array([day.toordinal() for day, _ in days], dtype=np.intp)
        return Decays(np.where(steps > 0, today + steps, 0), becomes)

    def _first_days(self, values: Values, one_order: Flags, nearest: Indices, done: Values) -> tuple[Indices, Indices]:
        paces = {"never": 0.0, "always": 1.0, "while one order": np.where(one_order, 1.0, 0.0)}
        motions = [(column, paces[grows], 1.0, 0.0) for column, grows in zip(values.T, self._grows, strict=True)]
        last = np.full(len(values), float(FAR))
        return self._pathfinder.first_of_many(motions, self._others_of_many[nearest], last, done)

    def next_segment(self, values: Sequence[float], known: Known, nearest: int) -> NextSegment | None:
        """What moves a customer up; None where neither orders nor a dearer order do, or their value is not known."""
        better = self._better[nearest]
        if self._unsold or not better:
            return None
        purchases = self._purchases(values, known)
        if not purchases.order_value > 0:
            return None
        dearest = max(1, math.floor(min(DEAREST * purchases.order_value, MOST_SPEND)))
        orders, spend = self._first_purchases(values, purchases, nearest, dearest)
        if orders is None and spend is None:
            return None
        by_orders = ByOrders(*orders, purchases.order_value) if orders else None
        return NextSegment(by_orders, BySpend(*spend) if spend else None)

    def next_segments(self, values: Values, known: KnownColumns, nearest: Indices) -> NextSegments:
        """The same for n customers at once; `values` has shape (n, d), `nearest` (n,)."""
        if self._unsold or not len(values):
            nothing = np.zeros(len(values), dtype=np.intp)
            return NextSegments(nothing, nearest, np.full(len(values), np.nan), nothing, nearest)
        purchases = self._purchases_of_many(values, known)
        possible = (purchases.order_value > 0) & self._better_of_many[nearest].any(axis=1)
        dearest = np.fmax(1.0, np.floor(np.fmin(DEAREST * purchases.order_value, MOST_SPEND)))
        orders, by_orders, open_to = self._nothing_yet(nearest, possible)
        spends, by_spend, _ = self._nothing_yet(nearest)
        if self._closed_of_many is not None:
            told = possible & ~np.isnan(purchases.tenure) if self._has_gap else possible
            rows = np.flatnonzero(told)
            start = OrdersOfMany(*(column[rows] for column in purchases.orders_so_far))
            one, other = self._closed_of_many.purchases(values[rows], start, nearest[rows], MOST_ORDERS, dearest[rows])
            orders[rows], by_orders[rows], spends[rows], by_spend[rows] = *one[:2], *other[:2]
            open_to[rows] = one.doubtful | other.doubtful
        if (rest := np.flatnonzero(open_to)).size:
            some = _PurchasesOfMany(*(column[rest] for column in purchases))
            better, most = self._better_of_many[nearest[rest]], np.full(rest.size, float(MOST_ORDERS))
            orders[rest], by_orders[rest] = self._first_of_many(BY_ORDERS, values[rest], some, better, most)
            spends[rest], by_spend[rest] = self._first_of_many(BY_SPEND, values[rest], some, better, dearest[rest])
        return NextSegments(orders, by_orders, purchases.order_value, spends, by_spend)

    def _nothing_yet(self, nearest: Indices, open_to: Flags | None = None) -> tuple[Indices, Indices, Flags]:
        """No steps, to where each customer is, and who is looked for: everybody where not told otherwise."""
        everybody = np.ones(len(nearest), dtype=np.bool_)
        return np.zeros(len(nearest), dtype=np.intp), nearest.copy(), everybody if open_to is None else open_to

    def _first_purchases(
        self, values: Sequence[float], of: _Purchases, nearest: int, dearest: int
    ) -> tuple[Step | None, Step | None]:
        if self._closed is not None and (of.tenure == of.tenure or not self._has_gap):
            start = Orders(of.frequency, of.monetary, of.tenure, of.order_value)
            try:
                return self._closed.purchases(values, start, self._upwards[nearest], MOST_ORDERS, dearest)
            except InDoubt:
                pass
        better = self._better[nearest]
        return (
            self._first(self._by_orders, values, of, better, MOST_ORDERS),
            self._first(self._by_spend, values, of, better, dearest),
        )

    def _first(
        self, purchase: Moves, values: Sequence[float], purchases: _Purchases, better: frozenset[int], last: int
    ) -> tuple[int, int] | None:
        changes = [(index, move(purchases)) for index, move in purchase]
        if any(math.isnan(value) for _, motion in changes for value in motion):
            return None  # something is not known
        return self._pathfinder.first(values, changes, better, last)

    def _first_of_many(
        self, purchase: Purchase, values: Values, purchases: _PurchasesOfMany, better: NDArray[np.bool_], last: Values
    ) -> tuple[Indices, Indices]:
        motions = [
            purchase[name](purchases) if name in purchase else (column, 0.0, 1.0, 0.0)
            for name, column in zip(self._position, values.T, strict=True)
        ]
        told = ~np.isnan(sum([sum(motion) for motion in motions], np.zeros(len(values))))
        return self._pathfinder.first_of_many(motions, better & told[:, None], last, np.zeros(len(values)))

    def _purchases(self, values: Sequence[float], known: Known) -> _Purchases:
        frequency = self._frequency(values, known)
        return _Purchases(
            frequency,
            self._value("monetary", values, known),
            self._tenure(frequency, values, known),
            self._value("average_order_value", values, known),
            self._value("return_rate", values, known),
        )

    def _purchases_of_many(self, values: Values, known: KnownColumns) -> _PurchasesOfMany:
        frequency = self._frequency_of_many(values, known)
        monetary, average, rate, tenure, recency, gap = (
            self._column(name, values, known)
            for name in ("monetary", "average_order_value", "return_rate", "tenure", "recency", "mean_gap")
        )
        mean = np.divide(monetary, frequency, out=np.full(len(values), np.nan), where=frequency > 0)
        counted = (rate > 0) & (rate < 1) & (monetary > 0)
        bought = np.divide(monetary, 1 - rate, out=np.ones(len(values)), where=counted)
        return _PurchasesOfMany(
            frequency=frequency,
            monetary=monetary,
            tenure=np.where(np.isnan(tenure), _span(frequency, recency, gap), tenure),
            average_order_value=average,
            order_value=np.where(np.isnan(average), mean, average),
            orders=np.where(frequency < 1, 1.0, frequency),
            returned=rate * bought,
            bought=bought,
            counted=counted.astype(np.float64),
        )

    def _tenure(self, frequency: float, values: Sequence[float], known: Known) -> float:
        told = self._value("tenure", values, known)
        span = _span(frequency, self._value("recency", values, known), self._value("mean_gap", values, known))
        return float(told if told == told else span)

    def _frequency(self, values: Sequence[float], known: Known) -> float:
        """The number of orders; where it is not told, a mean gap as long as the tenure tells that it is one."""
        frequency = self._value("frequency", values, known)
        if frequency == frequency:
            return frequency
        return 1.0 if self._value("mean_gap", values, known) == self._value("tenure", values, known) else math.nan

    def _frequency_of_many(self, values: Values, known: KnownColumns) -> Values:
        frequency = self._column("frequency", values, known)
        if not np.isnan(frequency).any():
            return frequency
        one = self._column("mean_gap", values, known) == self._column("tenure", values, known)
        return np.where(np.isnan(frequency) & one, 1.0, frequency)

    def _value(self, name: str, values: Sequence[float], known: Known) -> float:
        position = self._position.get(name)
        return float(known.get(name, math.nan)) if position is None else values[position]

    def _column(self, name: str, values: Values, known: KnownColumns) -> Values:
        position = self._position.get(name)
        if position is not None:
            return values[:, position]
        found = known.get(name)
        return np.full(len(values), np.nan) if found is None else found


def columns_of(known: Sequence[Known]) -> KnownColumns:
    """What an outlook asks for of customers known one by one."""
    return {name: np.array([one.get(name, math.nan) for one in known], dtype=np.float64) for name in ASKED}


def _span(frequency: Any, recency: Any, gap: Any) -> Any:
    """The tenure, where it was not told: the gaps between the orders, and the wait since the last."""
    return recency + gap * (frequency - 1)


def _day(as_of: datetime) -> tuple[date, float]:
    """The UTC day of a moment, and the part of it that is done."""
    as_of = as_of.astimezone(UTC)
    seconds = (as_of.hour * 60 + as_of.minute) * 60 + as_of.second
    return as_of.date(), (seconds * 1_000_000 + as_of.microsecond) / DAY
