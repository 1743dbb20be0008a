"""Opens purchase data wherever it is: files of any kind, folders of files, or a database."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from training.errors import UnreadableSource
from training.reading import database, zip_file
from training.reading.csv_file import read_csv
from training.reading.html_file import read_html
from training.reading.json_file import read_json
from training.reading.parquet import open_parquet
from training.reading.source_table import Opened, SourceTable
from training.reading.text_file import TextFile, open_text_file
from training.reading.workbook import open_workbook
from training.workspace import Workspace

# What is taken from a folder, which may hold other things too.
SUFFIXES = frozenset(
    {".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".parquet", ".pq", ".json", ".jsonl", ".ndjson"}
)
COMPRESSED = frozenset({".gz", ".zst", ".zip"})

# By the first characters, whatever the name; all other text is CSV. `[id],[date]` is a header, no JSON.
READERS: Mapping[str, Callable[[TextFile, Workspace], tuple[Sequence[SourceTable], Sequence[str]]]] = {
    r"\s*(\{\s*[\"}]|\[\s*[\[{\]])": read_json,
    r"\s*<": read_html,
}


def open_sources(
    sources: Sequence[str], workspace: Workspace, query: str | None = None, sheets: Sequence[str] = ()
) -> list[Opened]:
    """All files of the sources, or one query's rows, with all their tables and columns. Raises UnreadableSource."""
    if any(database.is_url(source) for source in sources):
        if len(sources) != 1 or query is None:
            raise UnreadableSource("A database is read alone and with --query: give one URL and the query.")
        return [database.open_query(sources[0], query, workspace)]
    if query is not None:
        raise UnreadableSource("--query goes with a database URL, such as sqlite:///shop.db, not with files.")
    return [open_file(file, workspace, sheets) for file in _files(sources)]


def _files(sources: Sequence[str]) -> list[Path]:
    """The files that `sources` name, and those in the folders they name, in the order of their names."""
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
    files = sorted(file for file in path.iterdir() if file.is_file() and is_data(file))
    if not files:
        raise UnreadableSource(f"The folder {path} has no CSV, XLSX, JSON or Parquet files.")
    return files


def is_data(file: Path) -> bool:
    """Whether a file is meant to be read, by its name."""
    compressed = file.suffix.lower() in COMPRESSED
    last = Path(file.stem).suffix if compressed else file.suffix
    known = last.lower() in SUFFIXES or file.suffix.lower() == ".zip"
    return known and not file.name.startswith((".", "~"))


def open_file(file: Path, workspace: Workspace, sheets: Sequence[str] = ()) -> Opened:
    """One file, with all its tables and their columns. Raises UnreadableSource.

    Of a workbook the visible sheets are read, or those that `sheets` names. A file is what its first bytes say,
    whatever it is called.
    """
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
    except OSError as error:
        raise UnreadableSource(f"{file.name} cannot be opened: {error.strerror}.") from None
    if magic == b"PAR1":
        return open_parquet(file, workspace)
    if magic == b"\xd0\xcf\x11\xe0" or (magic == b"PK\x03\x04" and zip_file.is_workbook(file)):
        return open_workbook(file, workspace, sheets)
    if magic[:2] == b"PK":
        return zip_file.open_zip(file, workspace, lambda inside: _open_inside(inside, workspace, sheets), is_data)
    return _open_text(file, workspace)


def _open_inside(file: Path, workspace: Workspace, sheets: Sequence[str]) -> Opened:
    with file.open("rb") as stream:
        if stream.read(2) == b"PK" and not zip_file.is_workbook(file):
            raise UnreadableSource(f"{file.name} is a zip file itself; unpack it and give the file inside.")
    return open_file(file, workspace, sheets)


def _open_text(file: Path, workspace: Workspace) -> Opened:
    text = open_text_file(file, workspace)
    head = text.head()
    read = next((reader for start, reader in READERS.items() if re.match(start, head)), None)
    if read is None:
        table, notes = read_csv(text, workspace)
        return Opened(file.name, text.sha256, text.bytes, (table,), notes)
    tables, said = read(text, workspace)
    notes = (f"{file.name}: {text.found}.", *text.notes(), *said)
    return Opened(file.name, text.sha256, text.bytes, tuple(tables), notes)
