"""Opens purchase data wherever it is: files, folders of files, or a database."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from training.errors import UnreadableSource
from training.reading import database
from training.reading.csv_file import open_csv
from training.reading.parquet import open_parquet
from training.reading.source_table import Opened
from training.reading.workbook import open_workbook
from training.workspace import Workspace

# A file is what its first bytes say, whatever it is called; all else is text.
OPENERS: Mapping[bytes, Callable[[Path, Workspace], Opened]] = {
    b"PK\x03\x04": open_workbook,
    b"\xd0\xcf\x11\xe0": open_workbook,
    b"PAR1": open_parquet,
}
# What is taken from a folder, which may hold other things too.
SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".xlsx", ".xls", ".parquet", ".pq"})
COMPRESSED = frozenset({".gz", ".zst"})


def open_sources(sources: Sequence[str], workspace: Workspace, query: str | None) -> list[Opened]:
    """All files of the sources, or one query's rows, with all their tables and columns. Raises UnreadableSource."""
    if any(database.is_url(source) for source in sources):
        if len(sources) != 1 or query is None:
            raise UnreadableSource("A database is read alone and with --query: give one URL and the query.")
        return [database.open_query(sources[0], query, workspace)]
    if query is not None:
        raise UnreadableSource("--query goes with a database URL, such as sqlite:///shop.db, not with files.")
    return [open_file(file, workspace) for file in _files(sources)]


def _files(sources: Sequence[str]) -> list[Path]:
    files = [file for source in sources for file in _listed(Path(source))]
    if not files:
        raise UnreadableSource("Nothing to read: give a file, a folder of files, or a database URL with --query.")
    seen: set[Path] = set()
    for file in files:
        if file.resolve() in seen:
            raise UnreadableSource(f"{file.name} is given twice; its purchases would count twice.")
        seen.add(file.resolve())
    return files


def _listed(path: Path) -> list[Path]:
    if not path.exists():
        raise UnreadableSource(f"There is no file or folder {path}.")
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.is_file() and _is_data(file))
    if not files:
        raise UnreadableSource(f"The folder {path} has no CSV, XLSX or Parquet files.")
    return files


def _is_data(file: Path) -> bool:
    last = Path(file.stem).suffix if file.suffix.lower() in COMPRESSED else file.suffix
    return last.lower() in SUFFIXES and not file.name.startswith((".", "~"))


def open_file(file: Path, workspace: Workspace) -> Opened:
    """One file, with all its tables and their columns. Raises UnreadableSource."""
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
    except OSError as error:
        raise UnreadableSource(f"{file.name} cannot be opened: {error.strerror}.") from None
    return OPENERS.get(magic, open_csv)(file, workspace)
