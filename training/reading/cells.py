"""Cells of a sheet or a query written down as text, in a Parquet file that DuckDB reads fast."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.customer.customer_id import EXACT_FLOAT

CHUNK = 50_000
_AMBIGUOUS = re.compile(r"-?\d+\.\d{3}")


def written(cell: object) -> str | None:
    """A cell as text; null stays null, `536365.0` is `536365`, a moment is in ISO 8601.

    A float of 2^53 or more stays one, `9.1e+15`: it stands for several whole numbers, so an id of it is refused.
    """
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < EXACT_FLOAT else unambiguous(repr(cell))
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return unambiguous(str(cell)) if isinstance(cell, Decimal) else str(cell)


def unambiguous(number: str) -> str:
    """The number, with a fourth decimal if it has three: the point in `1.2340` cannot separate thousands."""
    return f"{number}0" if _AMBIGUOUS.fullmatch(number) else number


def write(rows: Iterable[Sequence[str | None]], names: Sequence[str], file: Path) -> int:
    """Writes the rows in chunks, whatever their number, and returns how many they were."""
    schema = pa.schema([(name, pa.string()) for name in names])
    count, stream = 0, iter(rows)
    with pq.ParquetWriter(file, schema) as writer:
        while chunk := list(islice(stream, CHUNK)):
            columns = [pa.array(column, pa.string()) for column in zip(*chunk, strict=True)]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            count += len(chunk)
    return count
