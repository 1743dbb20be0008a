"""What segments made at a cut-off turned out to be worth."""

from pydantic import AwareDatetime

from models.evidence import Backtest, Record, Selection


class Verdict(Record):
    """The figures of the segments at the cut-off; `after` has their intervals, the baseline's and the limit's."""

    cut_off: AwareDatetime
    horizon: int
    k: int
    auc: float
    r_squared: float
    stability: float
    smallest_share: float
    kendall: float | None
    halves: float
    baseline_auc: float
    baseline_r_squared: float
    limit_auc: float
    limit_r_squared: float
    after: Backtest
    selection: Selection
    warnings: tuple[str, ...]
    unproved: tuple[str, ...]
