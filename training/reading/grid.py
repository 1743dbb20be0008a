"""One file of any form, with those of its columns that somebody chooses by their names."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb
from python_calamine import CalamineError, CalamineWorkbook

from training.errors import UnreadableSource
from training.reading import cells, plainfile
from training.reading.csvfile import DELIMITERS
from training.reading.part import Opened, Part
from training.reading.plainfile import PlainFile, fingerprint
from training.workspace import Workspace

# From the names a table has, and what it is called, to the column of each field. Raises UnreadableSource.
Choose = Callable[[Sequence[str], str], Mapping[str, str]]


def open_grid(file: Path, workspace: Workspace, choose: Choose) -> Opened:
    """The file's tables (sheets, of a workbook) that `choose` takes, each a part in the types the file has.

    What a file is, its first bytes say. Raises UnreadableSource where there is none, or the file is damaged.
    """
    if file.is_dir() or not file.exists():
        raise UnreadableSource(f"There is no file {file}; a table of customers is one CSV, XLSX or Parquet file.")
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
    except OSError as error:
        raise UnreadableSource(f"{file.name} cannot be opened: {error.strerror}.") from None
    return OPENERS.get(magic, _csv)(file, workspace, choose)


def _csv(file: Path, workspace: Workspace, choose: Choose) -> Opened:
    plain = plainfile.open_plain(file, workspace)
    delimiter, blank_lines, names = _header(file.name, plain)
    chosen = choose(names, file.name)
    rejects = workspace.name("rejects")
    table = workspace.backend.read_csv(
        str(plain.path),
        # Everything is said, nothing guessed: guesses are made from the first rows only.
        columns={f"c{index}": "string" for index in range(len(names))},
        auto_detect=False,
        header=True,
        skip=blank_lines,
        delim=delimiter,
        quote='"',
        escape='"',
        encoding=plain.encoding,
        strict_mode=True,
        store_rejects=True,
        rejects_table=rejects,
        rejects_scan=f"{rejects}_scan",
    )
    fields = table.select(**{field: table[f"c{names.index(name)}"] for field, name in chosen.items()})
    part = Part(file.name, fields, chosen, delimiter == ";", rejects)
    note = f"{file.name}: {plainfile.NAMES[plain.found]}, fields separated by {DELIMITERS[delimiter]}."
    return Opened(file.name, plain.sha256, plain.bytes, (part,), (note,))


def _header(name: str, plain: PlainFile) -> tuple[str, int, list[str]]:
    encoding = "utf-8-sig" if plain.encoding == "utf-8" else plain.encoding
    found: dict[str, tuple[int, list[str]]] = {}
    for sign in DELIMITERS:
        with plain.path.open(encoding=encoding, newline="") as file:
            found[sign] = next(((at, row) for at, row in enumerate(csv.reader(file, delimiter=sign)) if row), (0, []))
    delimiter = max(DELIMITERS, key=lambda sign: len(found[sign][1]))
    blank_lines, names = found[delimiter]
    if not names:
        raise UnreadableSource(f"{name}: the file is empty.")
    return delimiter, blank_lines, [one.strip() for one in names]


def _workbook(file: Path, workspace: Workspace, choose: Choose) -> Opened:
    parts, refused = [], []
    try:
        with CalamineWorkbook.from_path(file) as book:
            for name in book.sheet_names:
                try:
                    parts.append(_sheet(f"{file.name}, sheet '{name}'", book, name, workspace, choose))
                except UnreadableSource as error:
                    refused.append(str(error))
    except CalamineError as error:
        raise UnreadableSource(
            f"{file.name}: the workbook is damaged or protected ({error}). Save it anew, without a password."
        ) from None
    if not parts:
        raise UnreadableSource(refused[0] if refused else f"{file.name}: the workbook has no sheets.")
    notes = tuple(f"Not read: {reason}" for reason in refused)
    return Opened(file.name, fingerprint(file), file.stat().st_size, tuple(parts), notes)


def _sheet(where: str, book: CalamineWorkbook, sheet: str, workspace: Workspace, choose: Choose) -> Part:
    # Sheets have empty rows above their table and often, formatted, below it.
    rows = (row for row in book.get_sheet_by_name(sheet).iter_rows() if any(cell not in ("", None) for cell in row))
    names = [(cells.written(cell) or "").strip() for cell in next(rows, [])]
    chosen = choose(names, where)
    places = [names.index(name) for name in chosen.values()]
    parquet = workspace.file(".parquet")
    cells.write(([cells.written(row[place]) for place in places] for row in rows), list(chosen), parquet)
    return Part(where, workspace.backend.read_parquet(str(parquet)), chosen)


def _parquet(file: Path, workspace: Workspace, choose: Choose) -> Opened:
    try:
        table = workspace.backend.read_parquet(str(workspace.link(file, ".parquet")))
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise UnreadableSource(f"{file.name}: the Parquet file is damaged ({said}). Write it anew.") from None
    chosen = choose(table.columns, file.name)
    fields = table.select(**{field: table[name] for field, name in chosen.items()})
    return Opened(file.name, fingerprint(file), file.stat().st_size, (Part(file.name, fields, chosen),))


OPENERS: Mapping[bytes, Callable[[Path, Workspace, Choose], Opened]] = {
    b"PK\x03\x04": _workbook,
    b"\xd0\xcf\x11\xe0": _workbook,
    b"PAR1": _parquet,
}
