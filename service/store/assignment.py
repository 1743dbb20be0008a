"""One answer given to one customer, as the store keeps it."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self, cast


class Assignment(NamedTuple):
    """An immutable record; the fields stand in the order of the table's columns.

    A named tuple and not a frozen dataclass, because a batch makes 10,000 of them: one costs a
    fifth of a frozen dataclass's time, and the driver takes it nearly as it is.

    `id` is a ULID; both times are aware and in UTC; `features` is the text of a JSON object. `products` is that of a
    JSON list of the products offered, where they were the customer's own; None where they were the segment's.
    """

    id: str
    customer_id: str
    as_of: datetime
    assigned_at: datetime
    model_version: str
    segment_id: int
    segment_name: str
    runner_up_id: int
    runner_up_name: str
    confidence: float
    features: str
    products: str | None = None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """The record of a database row whose values come in the order of the fields."""
        return cls._make(row)

    @property
    def feature_values(self) -> dict[str, float | str | None]:
        """The features by name, decoded."""
        return cast(dict[str, float | str | None], json.loads(self.features))
