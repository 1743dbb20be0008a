"""The structure of a JSON text, found before it is decoded: its nesting, and the members of its lists and objects.

A decoder makes objects of up to two hundred times a text's size, and keeps Python's lock meanwhile. This makes arrays
of one block of the text at a time, most of them without the lock. It reads brackets, commas and quotes only: whether
the text is JSON, the decoder tells.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK = 262_144  # bytes
LARGE = 100_000  # bytes, from which on a text's structure is checked first, and all of it off the event loop
MOST_DEPTH = 16
MOST_KEYS = 10_000  # more than any model has features
LONGEST_VALUE = 16_384  # bytes between two separators: a key and its value, with the white space around them

_QUOTE, _COMMA = ord('"'), ord(",")
_STEPS = np.zeros(256, dtype=np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
_IS_SEPARATOR = _STEPS != 0
_IS_SEPARATOR[_COMMA] = True
_WHITE_SPACE = b" \t\r\n"
_KEY_AT_END = re.compile(rb'"((?:[^"\\]|\\.){0,250})"\s{0,20}:\s{0,20}\Z')


class TooMuchJson(ValueError):
    """A JSON text has more of something than any that is of use here. `key` names the part that has it, if known."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class BrokenJson(ValueError):
    """A text is not that of a list or an object."""


class _Separators(NamedTuple):
    """Brackets and commas outside of strings: their places, and the depth of what they open, divide or close."""

    places: NDArray[np.intp]
    kinds: NDArray[np.uint8]
    depths: NDArray[np.int64]


def members(text: bytes) -> Iterator[tuple[int, int]]:
    """Where each entry of a list begins and ends, or of an object each key with its value.

    Raises BrokenJson and TooMuchJson.
    """
    start, end, are_several = 0, 0, False
    for separators in _separators(text):
        for place in separators.places[separators.depths == 1].tolist():
            if end or (not start and text[:place].strip(_WHITE_SPACE)):
                raise BrokenJson("is one value after another, without a list around them")
            if start:
                end = 0 if text[place] == _COMMA else place + 1
                if are_several or not end or text[start:place].strip(_WHITE_SPACE):
                    are_several = True
                    yield start, place
            start = place + 1
    if not end or text[end:].strip(_WHITE_SPACE):
        raise BrokenJson("has brackets that do not match")


def check_size(text: bytes, most_separators: int, most_entries: int) -> None:
    """Raises TooMuchJson where a text has more brackets and commas than `most_separators`, an object at the first two
    levels more keys than MOST_KEYS, or a list at the second more entries than `most_entries`."""
    total = 0
    levels = [_Level(text, 1, MOST_KEYS), _Level(text, 2, most_entries)]
    for separators in _separators(text):
        total += len(separators.places)
        for level in levels:
            level.count(separators)
        if total > most_separators:
            raise TooMuchJson("has more values than any request needs")


class _Level:
    """Counts the entries of each list, and the keys of each object, at one level of nesting."""

    def __init__(self, text: bytes, depth: int, most_entries: int) -> None:
        self._text = text
        self._depth = depth
        self._most_entries = most_entries
        self._opened = 0  # where the last one begins
        self._entries = 0  # how many it has so far

    def count(self, separators: _Separators) -> None:
        """More of the text. Raises TooMuchJson."""
        places, kinds, depths = separators
        here = depths == self._depth
        opening, commas = places[here & (_STEPS[kinds] > 0)], places[here & (kinds == _COMMA)]
        counts = np.diff(np.searchsorted(commas, opening), prepend=0, append=len(commas))
        counts[0] += self._entries
        owners = [self._opened, *opening.tolist()]
        for index in np.flatnonzero(counts >= min(MOST_KEYS, self._most_entries)).tolist():
            self._check(owners[index], int(counts[index]))
        self._opened, self._entries = owners[-1], int(counts[-1])

    def _check(self, start: int, commas: int) -> None:
        is_object = self._text[start : start + 1] == b"{"
        most = MOST_KEYS if is_object else self._most_entries
        if commas >= most:
            key = _KEY_AT_END.search(self._text[max(0, start - 300) : start])
            name = key.group(1).decode("utf-8", "replace") if key else ""
            raise TooMuchJson(f"has more than {most:,} {'keys' if is_object else 'entries'}", name)


def _separators(text: bytes) -> Iterator[_Separators]:
    """A block's after the other's. Raises TooMuchJson where a value is too long, or nested too deeply."""
    depth, quoted, last = 0, False, -1
    for start, block in _blocks(text):
        codes = np.frombuffer(block, dtype=np.uint8)
        inside = np.bitwise_xor.accumulate(codes == _QUOTE) ^ quoted
        places = np.flatnonzero(_IS_SEPARATOR[codes] & ~inside)
        kinds = codes[places]
        steps = _STEPS[kinds]
        after = depth + np.cumsum(steps, dtype=np.int64)
        depths = after + (steps < 0)
        places += start
        if (np.diff(places, prepend=last, append=start + len(block)) > LONGEST_VALUE).any():
            raise TooMuchJson(f"has a text, a number or white space of more than {LONGEST_VALUE:,} bytes")
        if len(places):
            if depths.max() > MOST_DEPTH:
                raise TooMuchJson(f"is nested more than {MOST_DEPTH} levels deep")
            depth, last = int(after[-1]), int(places[-1])
        quoted = bool(inside[-1])
        yield _Separators(places, kinds, depths)


def _blocks(text: bytes) -> Iterator[tuple[int, bytes]]:
    """The text block by block, without what is escaped in it; no block ends between a backslash and what it escapes."""
    start = 0
    while start < len(text):
        block = text[start : start + BLOCK]
        if (len(block) - len(block.rstrip(b"\\"))) % 2:
            block = text[start : start + BLOCK + 1]
        yield start, block.replace(b"\\\\", b"__").replace(b'\\"', b"__") if b"\\" in block else block
        start += len(block)
