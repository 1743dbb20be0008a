"""Parquet files, read with the types they have."""

from pathlib import Path

import duckdb

from training.errors import UnreadableSource
from training.reading.part import Choose, Opened, Part
from training.reading.plainfile import fingerprint
from training.workspace import Workspace


def open_parquet(file: Path, workspace: Workspace, choose: Choose) -> Opened:
    """The file as one part. Raises UnreadableSource."""
    try:
        table = workspace.backend.read_parquet(str(workspace.link(file, ".parquet")))
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise UnreadableSource(f"{file.name}: the Parquet file is damaged ({said}). Write it anew.") from None
    columns = choose(table.columns, file.name)
    fields = table.select(**{field: table[name] for field, name in columns.items()})
    return Opened(file.name, fingerprint(file), file.stat().st_size, (Part(file.name, fields, columns),))
