"""Purchase lines as read: nothing cleaned yet, every row of the source still there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from models.customer.conventions import StatusMeaning
from models.evidence import SourceFile
from models.import_plan import ImportPlan

OrderBy: TypeAlias = Literal["invoice", "moment", "day"]

SCHEMA = {
    "invoice": "string",
    "product": "string",
    "description": "string",
    "quantity": "float64",
    "at": "timestamp(6)",
    "price": "float64",
    "customer": "string",
    "country": "string",
    "status": "string",
    "rest": "int64",
    "unreadable": "string",
}
# What is stored first: what a source says once for an order is not yet brought to the order's lines.
RAW_SCHEMA = {
    **SCHEMA,
    "currency": "string",
    "order_amount": "float64",
    "order_discount": "float64",
    "refund": "float64",
}


@dataclass(frozen=True)
class Lines:
    """The rows of a source, in its order, in one set of columns.

    `table` (an Ibis table of the workspace) has `line` (int64, from 0 over the whole source) and the
    columns of `SCHEMA`, all nullable: `at` is in UTC, `price` is for one unit, a field the source does not
    have is null throughout. `rest` is a hash of the columns of the source that are not read, null if there are none.
    `unreadable` is null, or names a value that is there but cannot be read: `quantity 'six' is not a number`.

    `order_by` tells what makes an order of one customer's lines: their invoice, or the moment or day they have in
    common. `statuses` is the meaning of each status (by its key), `currency` that of all amounts, None if unknown.
    `plan` is how the source was read.
    """

    table: Any
    present: frozenset[str]
    has_time: bool
    rows: int
    fingerprint: tuple[SourceFile, ...]
    notes: tuple[str, ...]
    order_by: OrderBy = "invoice"
    statuses: Mapping[str, StatusMeaning] = field(default_factory=dict)
    currency: str | None = None
    plan: ImportPlan = field(default_factory=lambda: ImportPlan(columns={}))

    @property
    def has_quantity(self) -> bool:
        """Whether the source says how many units a line is of."""
        return "quantity" in self.present
