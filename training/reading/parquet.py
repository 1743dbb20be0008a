"""Parquet files, read with the types they have."""

from pathlib import Path

from training.reading.engine_errors import worded
from training.reading.source_table import Opened, SourceTable
from training.reading.text_file import fingerprint
from training.workspace import Workspace


def open_parquet(file: Path, workspace: Workspace) -> Opened:
    """The file as one table. Raises UnreadableSource."""
    with worded(file.name, "the Parquet file is damaged. Write it anew."):
        table = workspace.backend.read_parquet(str(workspace.link(file, ".parquet")))
    columns = table.select(**{f"c{index}": table[name] for index, name in enumerate(table.columns)})
    source = SourceTable(file.name, tuple(name.strip() for name in table.columns), columns)
    return Opened(file.name, fingerprint(file), file.stat().st_size, (source,))
