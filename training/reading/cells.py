"""Cells of a sheet or a query written down as text, in a Parquet file that DuckDB reads fast."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

CHUNK = 50_000


def written(cell: object) -> str | None:
    """A cell as text; null stays null, `536365.0` is `536365`, a moment is in ISO 8601."""
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime | date):
        return cell.isoformat()
    return str(cell)


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
