"""Forecast segment changes: the date a customer leaves the segment without further purchases, and the smallest
purchase that moves them up. Both are exactly what the scorer says on that date and after that purchase."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.features import FEATURE
from models.forecast.closed_form import ARRAYS, FLOATS, Arithmetic, ClosedForm, Orders
from models.forecast.trajectory import Motion, TrajectorySearch
from models.scorer import Scorer

Values = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]

HORIZON_DAYS = 1096  # three years
MOST_ORDERS = 24
DEAREST = 1000  # order values: no dearer order is worth proposing
MOST_SPEND = 2**53  # float64 has no next whole unit beyond it
DAY = 86_400_000_000  # microseconds
CHANGE_OTHERWISE = frozenset({"average_order_value", "return_rate"})  # by an order, in no closed form

Known = Mapping[str, float | str]
KnownColumns = Mapping[str, Values]  # of n customers, shape (n,) each; NaN is not known
# Features that a forecast asks for where they do not decide.
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
        return [_next_segment(*row) for row in self.rows()]

    def rows(self) -> Iterator[tuple[int, int, float, int, int]]:
        """The customers, each with what the columns say."""
        return zip(*(column.tolist() for column in self), strict=True)


class PurchaseState(NamedTuple):
    """What further orders of n customers start from, arrays of shape (n,); NaN is not known.

    `orders` is the frequency, at least 1. `counted` is 1 where `returned` and `bought` are the values behind the
    return rate, and 0 where they are not known and stand for a rate that stays.
    """

    frequency: Values
    monetary: Values
    tenure: Values
    order_value: Values
    average_order_value: Values
    orders: Values
    returned: Values
    bought: Values
    counted: Values


# What t orders of the customer's order value, and one order of value t, make of the features at `as_of`. All others
# stay, for it is the same products that are bought.
Purchase = Mapping[str, Callable[[PurchaseState], Motion]]
BY_ORDERS: Purchase = {
    "recency": lambda of: (0.0, 0.0, 1.0, 0.0),
    "frequency": lambda of: (of.frequency, 1.0, 1.0, 0.0),
    "monetary": lambda of: (of.monetary, of.order_value, 1.0, 0.0),
    "mean_gap": lambda of: (of.tenure, 0.0, of.orders - 1.0, 1.0),
    "return_rate": lambda of: (of.returned, 0.0, of.bought, of.counted * of.order_value),
}
BY_SPEND: Purchase = {
    "recency": lambda of: (0.0, 0.0, 1.0, 0.0),
    "frequency": lambda of: (of.frequency + 1.0, 0.0, 1.0, 0.0),
    "monetary": lambda of: (of.monetary, 1.0, 1.0, 0.0),
    "average_order_value": lambda of: (of.average_order_value * of.orders, 1.0, of.orders + 1.0, 0.0),
    "mean_gap": lambda of: (of.tenure, 0.0, of.orders, 0.0),
    "return_rate": lambda of: (of.returned, 0.0, of.bought, of.counted),
}


class TransitionForecast:
    """Forecasts for one model's customers. What depends on the model alone is prepared once.

    A customer is known by `values`, the features that decide, in the scorer's order, (d,) or (n, d); by `known`, what
    else is known of the features by name; and by `nearest`, the index of the segment the scorer assigns.
    """

    def __init__(self, scorer: Scorer, ranks: Sequence[int]) -> None:
        """`ranks` has each segment's profitability rank, 1 the best, in the order of the scorer's centres."""
        self._scorer = scorer
        self._position = {name: index for index, name in enumerate(scorer.features)}
        self._grows = [FEATURE[name].grows if name in FEATURE else "never" for name in scorer.features]
        self._stays = set(self._grows) == {"never"}
        self._unsold = BY_SPEND.keys().isdisjoint(scorer.features)
        rank = np.array(ranks)
        self._elsewhere, self._better = ~np.eye(len(ranks), dtype=np.bool_), rank[None, :] < rank[:, None]
        self._best = [not row.any() for row in self._better]
        self._search = TrajectorySearch(scorer)
        arrays, certain = scorer.arrays, self._search.certain
        self._leave, self._leave_many = (ClosedForm(arrays, self._elsewhere, certain, m) for m in (FLOATS, ARRAYS))
        self._rise, self._rise_many = (ClosedForm(arrays, self._better, certain, m) for m in (FLOATS, ARRAYS))
        self._closed = CHANGE_OTHERWISE.isdisjoint(scorer.features)
        growing = (("always",), ("always", "while one order"))
        self._growing = [tuple(index for index, grows in enumerate(self._grows) if grows in those) for those in growing]

    def decay(self, values: Sequence[float], known: Known, as_of: datetime, nearest: int) -> Decay | None:
        """When a customer leaves the segment if nothing is bought; None if not within `HORIZON_DAYS`.

        `as_of` is the moment the values hold for, with its zone.
        """
        growing = self._growing[bool(self._has_one_order(FLOATS, values, known))]
        if not growing:
            return None
        value = values[growing[0]]
        if self._closed and (len(growing) == 1 or all(values[feature] == value for feature in growing)):
            day, done = _day(as_of)
            found = self._leave.grow(growing, value, self._scaled(values), nearest, HORIZON_DAYS, done)
            if not found.doubtful:
                return Decay(day + timedelta(days=found.step), found.becomes) if found.step else None
        return self.decays(np.array([values]), columns_of([known]), [as_of], np.array([nearest])).listed()[0]

    @np.errstate(all="ignore")  # what is no number or infinite is no step
    def decays(self, values: Values, known: KnownColumns, as_of: Sequence[datetime], nearest: Indices) -> Decays:
        """The same for n customers at once; `values` has shape (n, d), `nearest` (n,)."""
        steps, becomes = np.zeros(len(values), dtype=np.intp), nearest.copy()
        if self._stays or not len(values):
            return Decays(steps, becomes)
        day_of = {moment: _day(moment) for moment in set(as_of)}  # a batch has few moments
        today = np.array([day_of[moment][0].toordinal() for moment in as_of], dtype=np.intp)
        done = np.array([day_of[moment][1] for moment in as_of])
        one_order: Flags = np.broadcast_to(self._has_one_order(ARRAYS, values.T, known), steps.shape)
        last, scaled = np.full(len(values), float(HORIZON_DAYS)), self._scorer.scaled(values).T
        for alone, growing in zip((False, True), self._growing, strict=True):
            rows = np.flatnonzero(one_order == alone)
            if not growing or not rows.size:
                continue
            figures = values[rows][:, growing]
            same = self._closed & (figures == figures[:, :1]).all(axis=1)
            doubtful = ~same
            if same.any():
                some = rows[same]
                found = self._leave_many.grow(
                    growing, figures[same, 0], list(scaled[:, some]), nearest[some], last[some], done[some]
                )
                steps[some], becomes[some], doubtful[same] = found
            if (rest := rows[doubtful]).size:
                motions: list[Motion] = [(column, 0.0, 1.0, 0.0) for column in values[rest].T]
                for feature in growing:
                    motions[feature] = (values[rest, feature], 1.0, 1.0, 0.0)
                wanted = self._elsewhere[nearest[rest]]
                steps[rest], becomes[rest] = self._search.first(motions, wanted, last[rest], done[rest])
        return Decays(np.where(steps > 0, today + steps, 0), becomes)

    def next_segment(self, values: Sequence[float], known: Known, nearest: int) -> NextSegment | None:
        """What moves a customer up; None if neither orders nor a dearer order do, or their value is not known."""
        if self._unsold or self._best[nearest]:
            return None
        orders = self._orders(FLOATS, values, known)
        worth = orders.value
        if not worth > 0:
            return None
        if self._closed and self._has_all(orders):
            by_orders, by_spend = self._rise.purchases(
                self._scaled(values), orders, nearest, MOST_ORDERS, _dearest(FLOATS, worth)
            )
            if not (by_orders.doubtful or by_spend.doubtful):
                return _next_segment(by_orders.step, by_orders.becomes, worth, by_spend.step, by_spend.becomes)
        return self.next_segments(np.array([values]), columns_of([known]), np.array([nearest])).listed()[0]

    @np.errstate(all="ignore")
    def next_segments(self, values: Values, known: KnownColumns, nearest: Indices) -> NextSegments:
        """The same for n customers at once; `values` has shape (n, d), `nearest` (n,)."""
        nothing = np.zeros(len(values), dtype=np.intp)
        if self._unsold or not len(values):
            return NextSegments(nothing, nearest, np.full(len(values), np.nan), nothing, nearest)
        orders = Orders(*(np.broadcast_to(one, nothing.shape) for one in self._orders(ARRAYS, values.T, known)))
        better, dearest = self._better[nearest], _dearest(ARRAYS, orders.value)
        open_to = (orders.value > 0) & better.any(axis=1)
        by_orders, by_spend = (nothing, nearest.copy()), (nothing.copy(), nearest.copy())
        if self._closed:
            rows = np.flatnonzero(open_to & self._has_all(orders))
            if rows.size:
                some = Orders(*(column[rows] for column in orders))
                scaled = list(self._scorer.scaled(values[rows]).T)
                found = self._rise_many.purchases(scaled, some, nearest[rows], MOST_ORDERS, dearest[rows])
                for (steps, becomes), one in zip((by_orders, by_spend), found, strict=True):
                    steps[rows], becomes[rows] = one.step, one.becomes
                open_to[rows] = found[0].doubtful | found[1].doubtful
        if (rest := np.flatnonzero(open_to)).size:
            state = self._purchase_state(
                Orders(*(column[rest] for column in orders)),
                values[rest],
                {name: column[rest] for name, column in known.items()},
            )
            for (steps, becomes), purchase, last in (
                (by_orders, BY_ORDERS, np.full(rest.size, float(MOST_ORDERS))),
                (by_spend, BY_SPEND, dearest[rest]),
            ):
                motions = [
                    purchase[name](state) if name in purchase else (column, 0.0, 1.0, 0.0)
                    for name, column in zip(self._position, values[rest].T, strict=True)
                ]
                known_all = ~np.isnan(sum([sum(motion) for motion in motions], np.zeros(rest.size)))
                steps[rest], becomes[rest] = self._search.first(
                    motions, better[rest] & known_all[:, None], last, np.zeros(rest.size)
                )
        return NextSegments(by_orders[0], by_orders[1], orders.value, by_spend[0], by_spend[1])

    def _has_all(self, orders: Orders) -> Any:
        """Whether what further orders make of the features is known."""
        sums = orders.tenure + orders.frequency
        return (sums == sums) | ("mean_gap" not in self._position)

    def _scaled(self, values: Sequence[float]) -> Sequence[float]:
        line = self._scorer.line
        return self._leave.scaled(values) if line is None else line.start(values).scaled

    def _orders(self, m: Arithmetic, values: Any, known: Mapping[str, Any]) -> Orders:
        frequency, monetary, tenure, value = (
            self._frequency(m, values, known),
            self._value("monetary", values, known),
            self._value("tenure", values, known),
            self._value("average_order_value", values, known),
        )
        if m.any(value != value):
            mean = m.where(frequency > 0, m.divide(monetary, frequency), math.nan)
            value = m.where(value != value, mean, value)
        if m.any(tenure != tenure):  # the gaps between the orders, and the wait since the last
            recency, gap = self._value("recency", values, known), self._value("mean_gap", values, known)
            tenure = m.where(tenure != tenure, recency + gap * (frequency - 1), tenure)
        return Orders(frequency, monetary, tenure, value)

    def _purchase_state(self, orders: Orders, values: Values, known: KnownColumns) -> PurchaseState:
        rate = np.broadcast_to(self._value("return_rate", values.T, known), orders.value.shape)
        counted = (rate > 0) & (rate < 1) & (orders.monetary > 0)
        bought = np.divide(orders.monetary, 1 - rate, out=np.ones(counted.shape), where=counted)
        return PurchaseState(
            *orders,
            average_order_value=self._value("average_order_value", values.T, known),
            orders=np.where(orders.frequency < 1, 1.0, orders.frequency),
            returned=rate * bought,
            bought=bought,
            counted=counted.astype(np.float64),
        )

    def _has_one_order(self, m: Arithmetic, values: Any, known: Mapping[str, Any]) -> Any:
        """Whether a feature that grows while there is one order does so."""
        return "while one order" in self._grows and self._frequency(m, values, known) == 1

    def _frequency(self, m: Arithmetic, values: Any, known: Mapping[str, Any]) -> Any:
        """The number of orders; if it is not known, a mean gap as long as the tenure says that it is one."""
        frequency = self._value("frequency", values, known)
        if not m.any(frequency != frequency):
            return frequency
        same = self._value("mean_gap", values, known) == self._value("tenure", values, known)
        return m.where((frequency != frequency) & same, 1.0, frequency)

    def _value(self, name: str, values: Any, known: Mapping[str, Any]) -> Any:
        position = self._position.get(name)
        return known.get(name, math.nan) if position is None else values[position]


def columns_of(known: Sequence[Known]) -> KnownColumns:
    """What a forecast asks for of customers known one by one."""
    return {name: np.array([one.get(name, math.nan) for one in known], dtype=np.float64) for name in ASKED}


def _next_segment(orders: int, by_orders: int, worth: float, spend: int, by_spend: int) -> NextSegment | None:
    if not orders and not spend:
        return None
    return NextSegment(
        ByOrders(orders, by_orders, worth) if orders else None, BySpend(spend, by_spend) if spend else None
    )


def _dearest(m: Arithmetic, order_value: Any) -> Any:
    """The largest whole value of an order that is proposed."""
    return m.maximum(1.0, -m.ceil(-m.minimum(DEAREST * order_value, float(MOST_SPEND))))


def _day(as_of: datetime) -> tuple[date, float]:
    """The UTC day of a moment, and the part of it that is done."""
    as_of = as_of.astimezone(UTC)
    seconds = (as_of.hour * 60 + as_of.minute) * 60 + as_of.second
    return as_of.date(), (seconds * 1_000_000 + as_of.microsecond) / DAY
