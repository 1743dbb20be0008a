"""CSV and its relatives: any of four delimiters, quoted or not, in any encoding that is in use."""

import csv
from dataclasses import dataclass
from pathlib import Path

from training.errors import UnreadableSource
from training.reading import text_file
from training.reading.source_part import SourcePart
from training.reading.source_table import Opened, SourceTable
from training.reading.text_file import PlainFile
from training.workspace import Workspace

DELIMITERS = {",": "','", ";": "';'", "\t": "a tab", "|": "'|'"}
# What DuckDB calls lines that only have too few or too many fields; anything else is broken quoting, after
# which any number of lines may have been taken for one value.
RAGGED = ("MISSING COLUMNS", "TOO MANY COLUMNS")
# Above one line in a hundred it is not a few bad lines: the delimiter or the quoting is not understood.
LEFT_OUT_AT_MOST = 0.01


@dataclass(frozen=True)
class _Header:
    names: tuple[str, ...]
    delimiter: str
    blank_lines: int


def open_csv(file: Path, workspace: Workspace) -> Opened:
    """The file as one table whose columns are all text. Raises UnreadableSource."""
    plain = text_file.open_plain(file, workspace)
    header = _header(file.name, plain)
    rejects = workspace.name("rejects")
    table = workspace.backend.read_csv(
        str(plain.path),
        # Everything is said, nothing guessed: guesses are made from the first rows only.
        columns={f"c{index}": "string" for index in range(len(header.names))},
        auto_detect=False,
        header=True,
        skip=header.blank_lines,
        delim=header.delimiter,
        quote='"',
        escape='"',
        encoding=plain.encoding,
        strict_mode=True,
        store_rejects=True,
        rejects_table=rejects,
        rejects_scan=f"{rejects}_scan",
    )
    source = SourceTable(file.name, header.names, table, header.delimiter == ";", rejects)
    note = f"{file.name}: {text_file.NAMES[plain.found]}, fields separated by {DELIMITERS[header.delimiter]}."
    return Opened(file.name, plain.sha256, plain.bytes, (source,), (note,))


def left_out(part: SourcePart, workspace: Workspace, rows: int) -> tuple[int, str]:
    """How many lines DuckDB could not take, with a note; call it when the part has been read.

    Raises UnreadableSource for a line of broken quoting, and for too many ragged lines.
    """
    if part.rejects is None:
        return 0, ""
    rejected = workspace.backend.table(part.rejects)
    # Every scan of the file notes its rejects anew.
    rejected = rejected.group_by("line").aggregate(
        kind=rejected.error_type.min(where=~rejected.error_type.isin(RAGGED)), said=rejected.error_message.min()
    )
    worst = rejected.order_by(rejected.kind.isnull(), "line").limit(1).to_pyarrow().to_pylist()
    if not worst:
        return 0, ""
    line, said = worst[0]["line"], worst[0]["said"].splitlines()[0].rstrip(".")
    if worst[0]["kind"] is not None:
        raise UnreadableSource(
            f"{part.where}: line {line} cannot be taken apart: {said}. "
            f"A quotation mark inside a quoted value is written twice."
        )
    count = int(rejected.count().to_pyarrow().as_py())
    if count > LEFT_OUT_AT_MOST * (rows + count):
        raise UnreadableSource(
            f"{part.where}: {count} of {rows + count} lines do not have as many fields as the header, "
            f"the first is line {line} ({said}). Quote values that hold the delimiter."
        )
    return count, (
        f"{part.where}: {count} line{'s' * (count > 1)} left out, not having as many fields as the header; "
        f"the first is line {line}."
    )


def _header(name: str, plain: PlainFile) -> _Header:
    encoding = "utf-8-sig" if plain.encoding == "utf-8" else plain.encoding
    found: dict[str, tuple[int, list[str]]] = {}
    for sign in DELIMITERS:
        with plain.path.open(encoding=encoding, newline="") as file:
            found[sign] = next(((at, row) for at, row in enumerate(csv.reader(file, delimiter=sign)) if row), (0, []))
    delimiter = max(DELIMITERS, key=lambda sign: len(found[sign][1]))
    blank_lines, names = found[delimiter]
    if not names:
        raise UnreadableSource(f"{name}: the file is empty.")
    return _Header(tuple(one.strip() for one in names), delimiter, blank_lines)
