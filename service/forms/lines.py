"""Bytes into lines, wherever the bytes were cut on their way."""

from typing import NamedTuple

from service.errors import BodyTooLarge


class SentLine(NamedTuple):
    """A line without its end, and its number, from 1 on. Of one that is too long there is nothing left."""

    number: int
    content: bytes | None


class LineSplitter:
    """Collects lines of at most `most` bytes. What is longer is dropped as it comes, and takes no memory."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: list[bytes] = []
        self._held = 0
        self._number = 1

    def feed(self, data: bytes) -> list[SentLine]:
        """The lines that end in these bytes."""
        first, *others = data.split(b"\n")
        self._keep(first)
        if not others:
            return []
        *whole, last = others
        lines = [self._closed()]
        number = self._number
        lines += [
            SentLine(index, content if len(content) <= self._most else None)
            for index, content in enumerate(whole, number)
        ]
        self._number += len(whole)
        self._keep(last)
        return lines

    def end(self) -> list[SentLine]:
        """The last line, where no line end follows it."""
        return [self._closed()] if self._held else []

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
