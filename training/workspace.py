"""A DuckDB database in a folder of its own, gone when the work is done."""

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ibis
from ibis import Table

from training.cpu import cpu_quota

MEMORY_LIMIT = "1GB"


class Workspace:
    """Owns a DuckDB database file in a temporary directory, opened through Ibis as `backend`.

    A file and not memory: DuckDB then compresses what it keeps, and data larger than `memory_limit`
    goes to disk. Times are in UTC. The folder is removed when the `with` block ends.
    """

    backend: Any
    folder: Path

    def __init__(
        self, *, threads: int | None = None, memory_limit: str = MEMORY_LIMIT, parent: Path | None = None
    ) -> None:
        self._threads = threads or cpu_quota()
        self._memory_limit = memory_limit
        self._parent = parent
        self._names = 0

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="segmentation-", dir=self._parent))
        try:
            self.backend = ibis.duckdb.connect(
                self.folder / "workspace.duckdb",
                threads=self._threads,
                memory_limit=self._memory_limit,
                temp_directory=str(self.folder / "spill"),
                # Line numbers are positions in the source: tables must keep its order.
                preserve_insertion_order=True,
            )
            # Only after connecting: as an option of `connect` it would come before its extension is loaded.
            self.backend.raw_sql("SET TimeZone = 'UTC'")
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.backend.disconnect()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def store(self, stem: str, table: Table, *, temp: bool = False) -> Table:
        """The rows of an expression over tables of this workspace, stored in their order under a new name.

        A `temp` table is not compressed: it is written faster, and takes more memory. For data from outside,
        `backend.create_table` is there; it compiles and parses its SQL several times.
        """
        name = self.name(stem)
        kind = "TEMP TABLE" if temp else "TABLE"
        # To the engine `1.0` is a decimal, and Ibis leaves out a cast that is none to itself.
        columns = (
            f'CAST("{column}" AS DOUBLE) AS "{column}"' if stored.is_floating() else f'"{column}"'
            for column, stored in table.schema().items()
        )
        rows = self.backend.compile(table)
        self.backend.raw_sql(f'CREATE {kind} "{name}" AS SELECT {", ".join(columns)} FROM ({rows})')  # noqa: S608 (only names of this project)
        stored: Table = self.backend.table(name)
        return stored

    def append(self, name: str, rows: Table) -> None:
        """Add the rows of an expression to the table of that name, whose columns they have in the same order."""
        self.backend.raw_sql(f'INSERT INTO "{name}" {self.backend.compile(rows)}')

    def name(self, stem: str) -> str:
        """A table name not yet used in this workspace."""
        self._names += 1
        return f"{stem}_{self._names}"

    def file(self, suffix: str) -> Path:
        """A path not yet used in this workspace's folder."""
        self._names += 1
        return self.folder / f"file_{self._names}{suffix}"

    def link(self, file: Path, suffix: str) -> Path:
        """The same file under a plain name: DuckDB takes `[`, `*` and `?` in a path for a pattern."""
        link = self.file(suffix)
        link.symlink_to(file.resolve())
        return link
