"""One look over a part before it is read: its distinct days, and how its numbers are written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.errors import UnreadableSource
from training.reading import dates, number_format
from training.reading.column_mapping import listed
from training.reading.dates import DateColumn
from training.reading.number_format import NumberFormat
from training.reading.source_part import SourcePart
from training.reading.text_columns import text
from training.reading.typed_part import NUMBERS
from training.workspace import Workspace

MONEY = ("price", "amount")


@dataclass(frozen=True)
class Survey:
    """What decides how a part's texts are read. `dates` is None where its dates are dates already."""

    dates: DateColumn | None
    numbers: Mapping[str, NumberFormat]
    currency: str | None = None


def survey(part: SourcePart, workspace: Workspace, rows: int | None, stated: Mapping[str, str]) -> Survey:
    """Look at the first rows of a part, or at all if `rows` is None: one row shows neither dates nor numbers.

    `stated` gives by column an example of how its numbers are written.
    """
    written = dates.is_written(part.table["at"])
    numbers = [field for field in NUMBERS if field in part.columns and part.table[field].type().is_string()]
    if not written and not numbers:
        return Survey(None, {})
    fields = [*numbers, *(["at"] if written else []), *(["invoice"] if "invoice" in part.columns else [])]
    # A copy: each question below would read the file anew.
    copy = part.table.select(**{field: text(part.table[field]) for field in fields})
    table = workspace.store("survey", copy if rows is None else copy.limit(rows), temp=True)
    currencies = {code for field in numbers if field in MONEY for code in _currencies(part, field, table)}
    if len(currencies) > 1:
        raise UnreadableSource(
            f"{part.where}: amounts are in {listed(sorted(currencies))}, which cannot be added up. Export one currency "
            "alone, or with a column of currencies; --currency then takes one, and --rates converts."
        )
    return Survey(
        DateColumn.of(part.where, part.columns["at"], table) if written else None,
        {
            field: number_format.decide(
                part.where,
                part.columns[field],
                table[field],
                semicolons=part.semicolons,
                stated=stated.get(part.columns[field]),
            )
            for field in numbers
        },
        next(iter(currencies), None),
    )


def _currencies(part: SourcePart, field: str, looked_at: Any) -> list[str]:
    """The currencies that stand in the cells of a column, of all its rows if any of those looked at has one."""
    odd = looked_at[field].notnull() & looked_at[field].try_cast("float64").isnull()
    if not looked_at.filter(odd).limit(1).count().to_pyarrow().as_py():
        return []
    return list(number_format.currencies(text(part.table[field])))
