"""A text file made ready for DuckDB: decompressed, fingerprinted, in UTF-8 or ISO-8859-1, all lines ended alike."""

import codecs
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from backports.zstd import ZstdDecompressor, ZstdError

from training.errors import UnreadableSource
from training.reading import encoding
from training.workspace import Workspace

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
CHUNK = 1 << 20
HEAD = 4096
CR, LF = b"\r\n"
ASCII = bytes(range(0x80))
# Printable in Windows-1252, control characters in ISO-8859-1.
WINDOWS_ONLY = frozenset(range(0x80, 0xA0))
# What no text has, NULs apart, which are left out.
CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1f\x7f]")
CONTROLS_AT_MOST, NULS_AT_MOST = 0.01, 0.25  # share of the first bytes
# A file unpacks to so many times its size, or so many bytes, and no more: what grows further is made to fill the disk.
GROWTH_AT_MOST = 100
UNPACKED_AT_LEAST = 256 << 20
WORDS_ENOUGH = 20_000

NO_TEXT = (
    (b"SQLite format 3\0", "an SQLite database; give its URL, sqlite:///FILE, with --query"),
    (b"%PDF-", "a PDF document; export the table as CSV or XLSX"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"BZh", "packed with bzip2; unpack it"),
    (b"\xfd7zXZ", "packed with xz; unpack it"),
)


@dataclass(frozen=True)
class TextFile:
    """The text at `path`, uncompressed, in `encoding` (`utf-8` or `latin-1`, DuckDB's names).

    Its lines end in LF or all in CRLF, and it has no NULs. `found` is the encoding of the original, as people call it;
    `sha256` and `bytes` are of the original as it lies on disk; `nuls` tells how many were taken out.
    """

    name: str
    path: Path
    encoding: str
    found: str
    sha256: str
    bytes: int
    nuls: int = 0

    def head(self) -> str:
        """The first characters, without a byte order mark."""
        with self.path.open("rb") as file:
            return file.read(HEAD).decode(self.encoding, errors="ignore").lstrip("\ufeff")

    def notes(self) -> tuple[str, ...]:
        """What had to be done to the text."""
        if not self.nuls:
            return ()
        return (f"{self.name}: {self.nuls:,} NUL character{'s' * (self.nuls > 1)} left out of the text.",)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Content:
    """What bytes are, of which every one is looked at: the one that is not UTF-8 may be the last."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._last = b" "
        self._lf_only = self._crlf_only = True
        self.utf_8 = True
        self.nuls = 0
        self.size = 0

    @property
    def ended_alike(self) -> bool:
        return self._lf_only or (self._crlf_only and self._last != b"\r")

    def look(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if b"\0" in chunk:
            self.nuls += chunk.count(b"\0")
        if self._lf_only and b"\r" in chunk:
            self._lf_only = False
        if self._crlf_only:
            signs = np.frombuffer(self._last + chunk, np.uint8)
            self._crlf_only = np.array_equal(signs[:-1] == CR, signs[1:] == LF)
        self._last = chunk[-1:] or self._last
        if not chunk.isascii() or self._decoder.getstate()[0]:
            self._decode(chunk)

    def end(self) -> None:
        self._decode(b"", final=True)

    def _decode(self, chunk: bytes, *, final: bool = False) -> None:
        if self.utf_8:
            try:
                self._decoder.decode(chunk, final)
            except UnicodeDecodeError:
                self.utf_8 = False


def open_text_file(file: Path, workspace: Workspace) -> TextFile:
    """Looks at every byte of the file. Raises UnreadableSource if it is no text, or damaged."""
    # Hashing leaves the interpreter to others, so both passes take the time of one.
    with ThreadPoolExecutor(1) as beside:
        sha256 = beside.submit(fingerprint, file)
        try:
            path, content = _unpack(file, workspace)
        except (EOFError, OSError, zlib.error, ZstdError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # such as of a full disk, and no damage
                raise UnreadableSource(f"{file.name} cannot be read: {error.strerror}.") from None
            raise UnreadableSource(f"{file.name}: the file is damaged or cut short. Get it anew.") from None
    with path.open("rb") as text:
        head = text.read(HEAD)
    _check_kind(file.name, head)
    utf_16 = encoding.utf_16(head)
    if utf_16 is None:
        _check_text(file.name, head)
    codec = utf_16 or ("utf-8" if content.utf_8 else _detect(path))
    found = encoding.NAMES[codec]
    if codec == "cp1252" and not _is_windows(path):
        codec, found = "latin-1", encoding.NAMES["latin-1"]
    nuls = 0 if utf_16 else content.nuls
    if codec not in ("utf-8", "latin-1") or nuls or not content.ended_alike:
        path, codec = _rewrite(path, codec, workspace), "utf-8"
    return TextFile(file.name, path, codec, found, sha256.result(), file.stat().st_size, nuls)


def fingerprint(file: Path) -> str:
    """The sha256 of a file as it lies on disk."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _unpack(file: Path, workspace: Workspace) -> tuple[Path, _Content]:
    """The file as plain text in the workspace, and what it is."""
    content = _Content()
    most = max(UNPACKED_AT_LEAST, GROWTH_AT_MOST * file.stat().st_size)
    with ExitStack() as stack:
        original = stack.enter_context(file.open("rb"))
        magic = original.peek(4)[:4]
        packed = magic.startswith((GZIP, ZSTD))
        path = workspace.file(".txt") if packed else workspace.link(file, ".txt")
        copy = stack.enter_context(path.open("wb")) if packed else None
        for chunk in _unpacked(original, magic):
            content.look(chunk)
            if copy is not None:
                check_growth(file.name, content.size, most)
                copy.write(chunk)
    content.end()
    return path, content


def check_growth(name: str, size: int, most: int) -> None:
    """Raises UnreadableSource if a file unpacks to more bytes than purchase data does."""
    if size > most:
        raise UnreadableSource(
            f"{name} unpacks to more than {most >> 20:,} MB, {GROWTH_AT_MOST} times its size, which purchase data does "
            f"not. If it is meant so, unpack it and give the file inside."
        )


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
            yield frame.decompress(rest, CHUNK)
            while not (frame.eof or frame.needs_input):
                yield frame.decompress(b"", CHUNK)
            rest = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise EOFError("the last frame does not end")


def _chunks(file: _Readable, size: int = CHUNK) -> Iterator[bytes]:
    while chunk := file.read(size):
        yield chunk


def _check_kind(name: str, head: bytes) -> None:
    for magic, what in NO_TEXT:
        if head.startswith(magic):
            raise UnreadableSource(f"{name} is {what}.")


def _check_text(name: str, head: bytes) -> None:
    controls = len(CONTROLS.findall(head.rstrip(b"\x1a")))  # the last is how DOS ends a file
    if controls > CONTROLS_AT_MOST * len(head) or head.count(0) > NULS_AT_MOST * len(head):
        raise UnreadableSource(
            f"{name}: this is neither a text file nor an Excel workbook, a Parquet file or a zip file. "
            f"Export the purchases as CSV in UTF-8."
        )


def _detect(path: Path) -> str:
    words: dict[bytes, bool] = {}
    with path.open("rb") as file:
        for chunk in _chunks(file):
            if not chunk.isascii():
                words.update(dict.fromkeys(encoding.words(chunk), True))
            if len(words) >= WORDS_ENOUGH:
                break
    return encoding.detect(words)


def _is_windows(path: Path) -> bool:
    with path.open("rb") as file:
        # To delete what is ASCII is many times as fast as to search for what is not.
        return any(not WINDOWS_ONLY.isdisjoint(chunk.translate(None, ASCII)) for chunk in _chunks(file))


def _rewrite(path: Path, codec: str, workspace: Workspace) -> Path:
    """A copy in UTF-8 whose lines end in LF, without NULs."""
    copy = workspace.file(".txt")
    with (
        path.open(encoding=codec, errors="replace", newline=None) as source,
        copy.open("w", encoding="utf-8", newline="\n") as target,
    ):
        while chunk := source.read(CHUNK):
            target.write(chunk.replace("\0", "") if "\0" in chunk else chunk)
    return copy
