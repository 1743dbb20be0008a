"""A column of an Arrow record batch as numpy arrays and Python values.

Every buffer is looked at by its true size: a stream may come from anywhere, and its offsets may point anywhere.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from nanoarrow.c_schema import c_schema_view
from numpy.typing import NDArray

INTEGERS = {
    "int8": "<i1", "int16": "<i2", "int32": "<i4", "int64": "<i8",
    "uint8": "<u1", "uint16": "<u2", "uint32": "<u4", "uint64": "<u8",
}  # fmt: skip
NUMBERS = {**INTEGERS, "half_float": "<f2", "float": "<f4", "double": "<f8"}
TEXTS = {"string": "<i4", "large_string": "<i8"}
DATES = {"date32": ("<i4", 86_400_000_000), "date64": ("<i8", 1_000)}
# Microseconds in a unit, and units in a microsecond.
UNITS = {"s": (1_000_000, 1), "ms": (1_000, 1), "us": (1, 1), "ns": (1, 1_000)}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEAST_US, MOST_US = -62_135_596_800_000_000, 253_402_300_799_999_999  # the years that Python can say


class DamagedColumn(ValueError):
    """The buffers of a column do not hold what they should."""


class ArrowColumn:
    """Rows `start` to `start + length` of a column. `kind` is Arrow's name of its type; of a dictionary, that of its
    values. Everything raises DamagedColumn."""

    def __init__(self, schema: Any, view: Any, start: int, length: int) -> None:
        self.length = length
        self._schema, self._view = schema, view
        self._type = c_schema_view(schema)
        self._start = view.offset + start
        self.coded = view.dictionary is not None
        self.kind: str = c_schema_view(schema.dictionary).type if self.coded else self._type.type
        self.known = self._known()

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers, each by itself."""
        return not self.coded and self.kind in NUMBERS

    @property
    def readable(self) -> bool:
        """Whether its values can be had."""
        return self.kind in {*NUMBERS, *TEXTS, *DATES, "timestamp", "bool", "na"}

    def numbers(self) -> NDArray[Any]:
        """The numbers of a numeric column, whatever stands where none is known."""
        return self._buffer(1, NUMBERS[self.kind], self.length)

    def values(self) -> list[Any]:
        """The values as a request has them; None where not known, bytes where a text is none in UTF-8."""
        if self.kind == "na":
            return [None] * self.length
        found = self._coded() if self.coded else self._values()
        if self.known is None:
            return found
        return [value if known else None for value, known in zip(found, self.known.tolist(), strict=True)]

    def _values(self) -> list[Any]:
        if self.kind in TEXTS:
            offsets = self._buffer(1, TEXTS[self.kind], self.length + 1).astype(np.int64)
            return _texts(self._raw(2), offsets[:-1], offsets[1:])
        if self.kind in DATES:
            form, microseconds = DATES[self.kind]
            return _moments(self._buffer(1, form, self.length), microseconds, 1)
        if self.kind == "timestamp":
            return _moments(self._buffer(1, "<i8", self.length), *UNITS[self._type.time_unit])
        if self.kind == "bool":
            return list(_bits(self._raw(1), self._start, self.length).tolist())
        return list(self.numbers().tolist())

    def _coded(self) -> list[Any]:
        indices = self._buffer(1, INTEGERS[self._type.storage_type], self.length).astype(np.int64)
        if self.known is not None:
            indices = indices[self.known]
        different, places = np.unique(indices, return_inverse=True)
        words = self._words(different)
        if self.known is None:
            return [words[place] for place in places.tolist()]
        found: list[Any] = [None] * self.length
        for row, place in zip(np.flatnonzero(self.known).tolist(), places.tolist(), strict=True):
            found[row] = words[place]
        return found

    def _words(self, indices: NDArray[np.int64]) -> list[Any]:
        """Entries of the dictionary, none of them more than once."""
        view = self._view.dictionary
        if indices.size and not (indices[0] >= 0 and indices[-1] < view.length):
            raise DamagedColumn("an index is beyond the dictionary")
        if self.kind not in TEXTS:
            words = ArrowColumn(self._schema.dictionary, view, 0, view.length).values()
            return [words[index] for index in indices.tolist()]
        entries = ArrowColumn(self._schema.dictionary, view, 0, view.length)
        offsets = entries._buffer(1, TEXTS[self.kind], view.length + 1)
        found = _texts(entries._raw(2), offsets[indices].astype(np.int64), offsets[indices + 1].astype(np.int64))
        if entries.known is None:
            return found
        return [word if known else None for word, known in zip(found, entries.known[indices].tolist(), strict=True)]

    def _known(self) -> NDArray[np.bool_] | None:
        """Which values are known; None where all are."""
        if self.kind == "na":
            return np.zeros(self.length, dtype=np.bool_)
        validity = self._raw(0)
        if not len(validity) or not self.length:
            return None
        known = _bits(validity, self._start, self.length)
        return None if known.all() else known

    def _buffer(self, index: int, form: str, count: int) -> NDArray[Any]:
        raw, size = self._raw(index), np.dtype(form).itemsize
        if not self.length:
            return np.zeros(count, dtype=form)
        if len(raw) < (self._start + count) * size:
            raise DamagedColumn("a buffer is shorter than the column")
        return np.frombuffer(raw, dtype=form, count=count, offset=self._start * size)

    def _raw(self, index: int) -> NDArray[np.uint8]:
        return np.frombuffer(self._view.buffer(index), dtype=np.uint8)


def _bits(raw: NDArray[np.uint8], start: int, length: int) -> NDArray[np.bool_]:
    if len(raw) * 8 < start + length:
        raise DamagedColumn("a bitmap is shorter than the column")
    bits = np.unpackbits(raw[start // 8 : (start + length + 7) // 8], bitorder="little")
    return bits[start % 8 : start % 8 + length].astype(np.bool_)


def _texts(raw: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> list[Any]:
    if not len(starts):
        return []
    first, last = int(starts.min()), int(ends.max())
    if first < 0 or last > len(raw) or (starts > ends).any():
        raise DamagedColumn("an offset of a text is beyond the texts")
    data = raw[first:last].tobytes()
    edges = zip((starts - first).tolist(), (ends - first).tolist(), strict=True)
    if data.isascii():
        text = data.decode("ascii")
        return [text[start:end] for start, end in edges]
    return [_text(data[start:end]) for start, end in edges]


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _moments(values: NDArray[Any], factor: int, divisor: int) -> list[Any]:
    """The moments, each different one made once; what no calendar has is told as the number it is."""
    different, places = np.unique(values, return_inverse=True)
    made = [_moment(value * factor // divisor) for value in different.tolist()]
    return [made[place] for place in places.tolist()]


def _moment(microseconds: int) -> datetime | str:
    if not LEAST_US <= microseconds <= MOST_US:
        return f"{microseconds} microseconds since 1970"
    return EPOCH + timedelta(microseconds=microseconds)
