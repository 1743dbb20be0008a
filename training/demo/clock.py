"""When a shop trades: one clock that runs fast in November and stands still on Saturdays."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Orders relative to an ordinary day, in the middle of each month and on each weekday from Monday;
# the shape is that of the UCI Online Retail file.
MONTHS = (0.75, 0.78, 0.88, 0.86, 0.95, 0.93, 0.90, 0.90, 1.10, 1.30, 1.75, 1.15)
WEEKDAYS = (1.08, 1.22, 1.22, 1.40, 1.08, 0.0, 0.70)
HOLIDAYS = frozenset({(12, 25), (12, 26), (1, 1)})
# Share of a day's orders by hour, from 6:00 to 20:59.
OPENS = 6
HOURS = (0.5, 1, 24, 70, 114, 122, 152, 130, 121, 118, 75, 46, 13, 8, 1)


@dataclass(frozen=True)
class TradingClock:
    """Trading time over a window, in ordinary days: a Poisson process that is steady on this clock
    is seasonal on the wall clock (the usual time change of an inhomogeneous Poisson process).
    """

    edges: Floats  # trading time at each midnight, days + 1 values, first 0

    @classmethod
    def over(cls, start: date, days: int) -> "TradingClock":
        weights = [_weight(start + timedelta(days=day)) for day in range(days)]
        return cls(edges=np.concatenate(([0.0], np.cumsum(weights))))

    @property
    def total(self) -> float:
        """The window's length in trading time; 0 if the shop never opens in it."""
        return float(self.edges[-1])

    def minutes(self, moments: Floats) -> Ints:
        """Wall-clock minutes since the first midnight of moments in [0, total]."""
        inside = np.minimum(moments, np.nextafter(self.total, 0.0))
        day = np.searchsorted(self.edges, inside, side="right") - 1
        share = (inside - self.edges[day]) / (self.edges[day + 1] - self.edges[day])
        hours = np.cumsum((0, *HOURS)) / sum(HOURS)
        minute = np.interp(share, hours, 60.0 * (OPENS + np.arange(len(hours))))
        # Rounding up to the closing time itself would be an hour nobody works.
        of_window: Ints = day * 1440 + np.minimum(minute.astype(np.int64), 60 * (OPENS + len(HOURS)) - 1)
        return of_window


def _weight(day: date) -> float:
    if (day.month, day.day) in HOLIDAYS:
        return 0.0
    middles = (np.arange(12) + 0.5) * 365.25 / 12
    season = np.interp(day.timetuple().tm_yday, middles, MONTHS, period=365.25)
    return float(season) * WEEKDAYS[day.weekday()]
