"""A table of a source whose columns are known but whose values are not yet read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.import_plan import DiscountForm, Money
from training.errors import UnreadableSource


@dataclass(frozen=True)
class SourcePart:
    """One table of a source: a text file, a sheet, a Parquet file, a query's rows.

    `table` is an Ibis table whose columns are named for the fields and have the source's own types (text,
    where the source has only text); with `has_rest` also `rest`, a hash of the columns that are no field. `columns`
    gives each field's name in the source, for messages. `status` is an expression of it: the key of each row's status.
    `semicolons` tells that fields are separated by `;`, as where the decimal sign is a comma. `left_out` counts the
    lines that did not have as many fields as the header. `rows` is how many rows a file had that is read once more when
    they are stored, None of a table that is stored already.
    """

    where: str
    table: Any
    columns: Mapping[str, str]
    semicolons: bool = False
    left_out: int = 0
    money: Money = "unit_price"
    discount: DiscountForm | None = None
    status: Any | None = None
    has_rest: bool = False
    rows: int | None = None


def check_unchanged(name: str, parts: Sequence[SourcePart], rows: int) -> None:
    """Raise UnreadableSource if a file that was looked at first has not as many rows when they are stored."""
    seen = [part.rows for part in parts if part.rows is not None]
    if len(seen) == len(parts) and sum(seen) != rows:
        raise UnreadableSource(
            f"{name} changed while it was read: it had {sum(seen):,} rows at first and {rows:,} later. Read it again "
            "once it is complete."
        )
