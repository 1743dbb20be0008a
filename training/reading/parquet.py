"""Parquet files, read with the types they have."""

from pathlib import Path

import duckdb

from training.errors import UnreadableSource
from training.reading.source_table import Opened, SourceTable
from training.reading.text_file import fingerprint
from training.workspace import Workspace


def open_parquet(file: Path, workspace: Workspace) -> Opened:
    """The file as one table. Raises UnreadableSource."""
    try:
        table = workspace.backend.read_parquet(str(workspace.link(file, ".parquet")))
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise UnreadableSource(f"{file.name}: the Parquet file is damaged ({said}). Write it anew.") from None
    columns = table.select(**{f"c{index}": table[name] for index, name in enumerate(table.columns)})
    source = SourceTable(file.name, tuple(name.strip() for name in table.columns), columns)
    return Opened(file.name, fingerprint(file), file.stat().st_size, (source,))
