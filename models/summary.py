"""What is remembered of one customer's purchases: sums, counts, first and last. Features need nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray


class Summary(Struct, frozen=True, gc=False):
    """One customer's purchases up to a moment. Money is in the data's currency, times in seconds UTC.

    Lines that a full cancellation undid count in `bought` and `returned` only, so that they make no order.
    `products` is None where the source names no products, `country` where it names no countries.
    """

    first_at: float
    last_at: float
    orders: int
    lines: int
    units: float
    revenue: float
    price_sum: float
    bought: float
    returned: float
    typical_quantity: float
    products: int | None
    country: str | None


@dataclass(frozen=True, slots=True)
class Summaries:
    """The summaries of n customers as columns; every array has shape (n,). Absent products are NaN."""

    first_at: NDArray[np.float64]
    last_at: NDArray[np.float64]
    orders: NDArray[np.float64]
    lines: NDArray[np.float64]
    units: NDArray[np.float64]
    revenue: NDArray[np.float64]
    price_sum: NDArray[np.float64]
    bought: NDArray[np.float64]
    returned: NDArray[np.float64]
    typical_quantity: NDArray[np.float64]
    products: NDArray[np.float64]
    country: Sequence[str | None]

    @classmethod
    def of(cls, summaries: Sequence[Summary]) -> "Summaries":
        """Columns from single summaries, in their order."""
        columns = {
            name: np.array([getattr(one, name) for one in summaries], dtype=np.float64)
            for name in Summary.__struct_fields__
            if name != "country"
        }
        return cls(**columns, country=[one.country for one in summaries])

    def __len__(self) -> int:
        return len(self.first_at)
