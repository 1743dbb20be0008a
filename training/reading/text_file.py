"""A text file made ready for DuckDB in one pass: decompressed, fingerprinted, its encoding found."""

import codecs
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol

from backports.zstd import ZstdDecompressor, ZstdError

from training.errors import UnreadableSource
from training.workspace import Workspace

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
CHUNK = 1 << 20
# Printable in Windows-1252, control characters in ISO-8859-1.
WINDOWS_ONLY = re.compile(rb"[\x80-\x9f]")
NAMES = {"utf-8": "UTF-8", "latin-1": "ISO-8859-1", "cp1252": "Windows-1252"}


@dataclass(frozen=True)
class PlainFile:
    """The text at `path`, uncompressed, in `encoding` (`utf-8` or `latin-1`, DuckDB's names).

    `found` is the encoding of the original; `sha256` and `bytes` are of the original as it lies on disk.
    """

    path: Path
    encoding: str
    found: str
    sha256: str
    bytes: int


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Utf8:
    """Whether bytes are UTF-8; the one that is not may be the last, so every byte is looked at."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self.valid = True

    def look(self, chunk: bytes, *, final: bool = False) -> None:
        if not self.valid or (chunk.isascii() and not final and not self._decoder.getstate()[0]):
            return
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self.valid = False


def open_plain(file: Path, workspace: Workspace) -> PlainFile:
    """Looks at every byte of the file. Raises UnreadableSource if it is no text, or damaged."""
    # Hashing leaves the interpreter to others, so both passes take the time of one.
    with ThreadPoolExecutor(1) as beside:
        sha256 = beside.submit(fingerprint, file)
        try:
            path, utf_8 = _unpack(file, workspace)
        except (EOFError, OSError, zlib.error, ZstdError) as error:
            raise UnreadableSource(f"{file.name}: the file is damaged or cut short ({error}). Get it anew.") from None
    _check_text(file.name, path)
    plain = PlainFile(path, "utf-8", "utf-8", sha256.result(), file.stat().st_size)
    if utf_8:
        return plain
    if not _is_windows(path):
        return replace(plain, encoding="latin-1", found="latin-1")
    return replace(plain, path=_to_utf_8(path, workspace), found="cp1252")


def fingerprint(file: Path) -> str:
    """The sha256 of a file as it lies on disk."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unpack(file: Path, workspace: Workspace) -> tuple[Path, bool]:
    """The file as plain text in the workspace, and whether it is UTF-8."""
    utf_8 = _Utf8()
    with ExitStack() as stack:
        original = stack.enter_context(file.open("rb"))
        magic = original.peek(4)[:4]
        packed = magic.startswith((GZIP, ZSTD))
        path = workspace.file(".txt") if packed else workspace.link(file, ".txt")
        copy = stack.enter_context(path.open("wb")) if packed else None
        for chunk in _unpacked(original, magic):
            utf_8.look(chunk)
            if copy is not None:
                copy.write(chunk)
    utf_8.look(b"", final=True)
    return path, utf_8.valid


def _unpacked(file: BinaryIO, magic: bytes) -> Iterator[bytes]:
    if magic.startswith(GZIP):
        return _chunks(gzip.GzipFile(fileobj=file))
    if magic.startswith(ZSTD):
        return _zstd(file)
    return _chunks(file)


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    # Frame by frame, because the library's own reader takes a file cut short for one that ends there.
    frame = ZstdDecompressor()
    for chunk in _chunks(file, CHUNK // 16):
        rest = chunk
        while rest:
            if frame.eof:
                frame = ZstdDecompressor()
            yield frame.decompress(rest)
            rest = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise EOFError("the last frame does not end")


def _chunks(file: _Readable, size: int = CHUNK) -> Iterator[bytes]:
    while chunk := file.read(size):
        yield chunk


def _check_text(name: str, path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4096)
    if b"\0" in head or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableSource(
            f"{name}: this is neither a text file in UTF-8 or ISO-8859-1 nor an XLSX or Parquet file. "
            f"If it is UTF-16 text, save it as CSV in UTF-8."
        )


def _is_windows(path: Path) -> bool:
    with path.open("rb") as file:
        return any(WINDOWS_ONLY.search(chunk) for chunk in _chunks(file))


def _to_utf_8(path: Path, workspace: Workspace) -> Path:
    # DuckDB refuses these bytes as ISO-8859-1, and knows no Windows-1252.
    copy = workspace.file(".txt")
    with path.open("rb") as source, copy.open("wb") as target:
        for chunk in _chunks(source):
            target.write(chunk.decode("cp1252", errors="replace").encode())
    return copy
