"""Zip files with one file of data inside, as data is offered for download."""

import shutil
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from training.errors import UnreadableSource
from training.reading.source_table import Opened
from training.reading.text_file import CHUNK, GROWTH_AT_MOST, UNPACKED_AT_LEAST, check_growth, fingerprint
from training.workspace import Workspace

SHOWN = 5
DAMAGED = "the zip file or workbook is damaged or cut short. Get it anew."
# Excel's own parts, and what OpenDocument begins with.
WORKBOOK_PARTS = ("xl/", "content.xml")


def is_workbook(file: Path) -> bool:
    """Whether a zip file is a spreadsheet: all of today's are zip files."""
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.startswith(WORKBOOK_PARTS) for name in archive.namelist())
    except zipfile.BadZipFile:
        raise UnreadableSource(f"{file.name}: {DAMAGED}") from None


def open_zip(
    file: Path, workspace: Workspace, open_inside: Callable[[Path], Opened], is_data: Callable[[Path], bool]
) -> Opened:
    """The one file of data that the zip file holds, as `open_inside` opens it. Raises UnreadableSource."""
    inside = _unpack(file, workspace, is_data)
    try:
        opened = open_inside(inside)
    except UnreadableSource as error:
        raise UnreadableSource(f"{file.name}: {error}") from None
    return replace(
        opened,
        name=file.name,
        sha256=fingerprint(file),
        bytes=file.stat().st_size,
        tables=tuple(replace(table, where=f"{file.name}, {table.where}") for table in opened.tables),
        notes=tuple(f"{file.name}, {note}" for note in opened.notes),
    )


def _unpack(file: Path, workspace: Workspace, is_data: Callable[[Path], bool]) -> Path:
    try:
        with zipfile.ZipFile(file) as archive:
            member = _member(file.name, archive, is_data)
            folder = workspace.file("")
            folder.mkdir()
            unpacked = folder / PurePosixPath(member.filename).name
            most = max(UNPACKED_AT_LEAST, GROWTH_AT_MOST * file.stat().st_size)
            # What the file says its size is may not be true; the library does not write more.
            check_growth(file.name, member.file_size, most)
            with archive.open(member) as source, unpacked.open("wb") as target:
                shutil.copyfileobj(source, target, CHUNK)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError):
        raise UnreadableSource(f"{file.name}: {DAMAGED}") from None
    except OSError as error:
        raise UnreadableSource(f"{file.name} cannot be unpacked: {error.strerror}.") from None
    return unpacked


def _member(name: str, archive: zipfile.ZipFile, is_data: Callable[[Path], bool]) -> zipfile.ZipInfo:
    members = [one for one in archive.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX/")]
    data = [one for one in members if is_data(Path(one.filename))] or members
    if not data:
        raise UnreadableSource(f"{name}: the zip file is empty.")
    if len(data) > 1:
        named = ", ".join(one.filename for one in data[:SHOWN]) + ", ..." * (len(data) > SHOWN)
        raise UnreadableSource(
            f"{name} holds {len(data)} files: {named}. Unpack it, and give the files that hold purchases."
        )
    if data[0].flag_bits & 1:
        raise UnreadableSource(f"{name} is protected with a password; unpack it and give the file inside.")
    return data[0]
