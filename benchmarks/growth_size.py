"""What was measured of a store at one number of rows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Rates per second, and 95th percentiles in milliseconds."""

    rows: int
    filled_per_second: float
    singles_per_second: float
    audience_ms: float
    history_ms: float
