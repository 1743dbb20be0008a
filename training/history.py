"""A shop's customers as they were at earlier moments, and what they did in the days after."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from ibis import _ as row
from numpy.typing import NDArray

from training.cleaning import Cleaned
from training.customers import Customers, describe
from training.summaries import summarise
from training.workspace import Workspace

Values = NDArray[np.float64]

HORIZON = 90  # days after a cut-off that customers are followed
STEP = 30  # days from one cut-off to the next
WINDOWS = 6  # cut-offs to learn from, at most
FEWEST_DAYS = 60  # of history before a cut-off: with less there is hardly a second order to know anyone by
FEWEST_CUSTOMERS = 50


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The n customers known at a moment, and the value of what each bought in the days after it, shape (n,).

    Value is in the data's currency, of purchases that were not undone by the end of those days.
    """

    at: datetime
    customers: Customers
    revenue: Values

    @property
    def bought(self) -> NDArray[np.bool_]:
        """Whether each bought again in those days."""
        return self.revenue > 0

    @property
    def usable(self) -> bool:
        """Whether there are enough customers, some of whom bought again and some not."""
        return len(self.revenue) >= FEWEST_CUSTOMERS and 0 < int(np.count_nonzero(self.bought)) < len(self.revenue)

    @property
    def log_revenue(self) -> Values:
        """log(1 + revenue): a few wholesalers must not be all there is to predict."""
        return np.log1p(self.revenue)


@dataclass(frozen=True)
class History:
    """What is known up to `as_of`; each moment is looked at once."""

    cleaned: Cleaned
    as_of: datetime
    horizon: int
    workspace: Workspace
    _known: dict[datetime, Cleaned] = field(default_factory=dict)
    _seen: dict[datetime, Snapshot] = field(default_factory=dict)

    def first_purchase(self) -> datetime:
        """The moment of the first purchase there is."""
        return datetime.fromtimestamp(self.cleaned.purchases["at"].min().to_pyarrow().as_py(), UTC)

    def cut_offs(self, end: datetime) -> list[datetime]:
        """The moments to learn from whose days after are over at `end`, the latest first; none where history is short.

        They lie a month apart, so that their outcomes overlap: each adds customers' other months to learn from.
        """
        earliest = self.first_purchase() + timedelta(days=FEWEST_DAYS)
        latest = end - timedelta(days=self.horizon)
        found = [latest - timedelta(days=STEP * index) for index in range(WINDOWS)]
        return [one for one in found if one >= earliest]

    def snapshot(self, at: datetime) -> Snapshot:
        """The customers at a cut-off and their outcomes. The days after must be over at `as_of`."""
        if at not in self._seen:
            customers = self.customers(at)
            after = self._until(at + timedelta(days=self.horizon)).purchases
            later = after.filter(~row.undone & (row["at"] > at.timestamp()))
            spent = later.group_by("customer").agg(value=row.value.sum()).to_pyarrow()
            value = dict(zip(spent["customer"].to_pylist(), spent["value"].to_pylist(), strict=True))
            revenue = np.array([value.get(one, 0.0) for one in customers.known.ids], dtype=np.float64)
            # sums of engines differ in their last bits
            self._seen[at] = Snapshot(at, customers, np.round(revenue, 6))
        return self._seen[at]

    def customers(self, at: datetime) -> Customers:
        """The customers known at a moment."""
        return describe(summarise(self._until(at)), at)

    def _until(self, moment: datetime) -> Cleaned:
        if moment >= self.as_of:
            return self.cleaned
        if moment not in self._known:
            self._known[moment] = self.cleaned.until(moment, self.workspace)
        return self._known[moment]
