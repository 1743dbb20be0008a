"""Bytes into lines, wherever the bytes were cut on their way."""

from collections.abc import Iterator
from typing import NamedTuple

from service.errors import BodyTooLarge


class SentLine(NamedTuple):
    """A line without its end, and its number, from 1 on. Of one that is too long there is nothing left."""

    number: int
    content: bytes | None


class LineSplitter:
    """Collects lines of at most `most` bytes. What is longer is dropped as it comes, and takes no memory.

    Raises BodyTooLarge where more than `most_blank` bytes of lines follow one another that have nothing on them.
    """

    def __init__(self, most: int, most_blank: int) -> None:
        self.gives_empty = False  # whether lines without a byte are given too; it may change from line to line
        self._most = most
        self._most_blank = most_blank
        self._blank = 0
        self._open: list[bytes] = []
        self._held = 0
        self._number = 1

    def feed(self, data: bytes) -> Iterator[SentLine]:
        """The lines that end in these bytes."""
        first, *others = data.split(b"\n")
        self._keep(first)
        if not others:
            return
        last = others.pop()
        yield self._counted(self._closed())
        for content in others:
            self._number += 1
            if content or self.gives_empty:
                yield self._counted(SentLine(self._number - 1, content if len(content) <= self._most else None))
            else:
                self._count_blank(1)
        self._keep(last)

    def end(self) -> Iterator[SentLine]:
        """The last line, where no line end follows it."""
        if self._held:
            yield self._counted(self._closed())

    def _counted(self, line: SentLine) -> SentLine:
        content = line.content
        if content is None or (content and not content.isspace()):
            self._blank = 0
        else:
            self._count_blank(len(content) + 1)
        return line

    def _count_blank(self, size: int) -> None:
        self._blank += size
        if self._blank > self._most_blank:
            before = f"before line {self._number:,}"
            raise BodyTooLarge(f"{before} are more than {self._most_blank:,} bytes of blank lines; leave them out")

    def _keep(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > self._most:
            self._open.clear()
        elif piece:
            self._open.append(piece)

    def _closed(self) -> SentLine:
        content = b"".join(self._open) if self._held <= self._most else None
        line = SentLine(self._number, content)
        self._open, self._held = [], 0
        self._number += 1
        return line


def too_long(number: int, most: int) -> BodyTooLarge:
    """What is wrong with a line that is too long."""
    return BodyTooLarge(
        f"line {number:,} has more than {most:,} bytes; send such a customer by itself, as JSON to /segment"
    )
