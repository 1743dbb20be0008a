"""Purchase lines as read: nothing cleaned yet, every row of the source still there."""

from dataclasses import dataclass
from typing import Any

from models.evidence import SourceFile

SCHEMA = {
    "invoice": "string",
    "product": "string",
    "description": "string",
    "quantity": "float64",
    "at": "timestamp(6)",
    "price": "float64",
    "customer": "string",
    "country": "string",
    "unreadable": "string",
}


@dataclass(frozen=True)
class Lines:
    """The rows of a source, in its order, in one set of columns.

    `table` (an Ibis table of the workspace) has `line` (int64, from 0 over the whole source) and the
    columns of `SCHEMA`, all nullable: `at` is in UTC, `price` is for one unit, a field the source does not
    have is null throughout. `unreadable` is null, or names a value that is there but cannot be read:
    `quantity 'six' is not a number`.
    """

    table: Any
    present: frozenset[str]
    has_time: bool
    rows: int
    fingerprint: tuple[SourceFile, ...]
    notes: tuple[str, ...]
