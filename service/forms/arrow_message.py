"""The frame of a message in an Arrow IPC stream, read without reading the message.

https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format: the continuation marker, the size of the
metadata, the metadata (a flatbuffer `Message`), the body. What a message takes is known before any of its body came,
so that memory is bounded, and that all it points to is there; what is inside, nanoarrow reads and checks.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from service.forms.arrow_verifier import verify

CONTINUATION = b"\xff\xff\xff\xff"
PREFIX = 8
MOST_METADATA = 1_048_576
SCHEMA, DICTIONARY, RECORD_BATCH = 1, 2, 3

# The fields of the flatbuffer tables, by their places in Message.fbs.
_KIND, _HEADER, _BODY = 1, 2, 3
_DICTIONARY_DATA, _COMPRESSION = 1, 3
_LENGTH, _NODES, _BUFFERS = 0, 1, 2  # of a batch
_PAIR = 16  # bytes of a node (length, nulls), and of a buffer (offset, length)
MOST_ROWS = 2**31 - 1
_FIELDS = 1  # of a schema
_TYPE_NAME, _TYPE, _CODED, _CHILDREN = 2, 3, 4, 5  # of a field
_INDEX_TYPE = 1  # of a dictionary's encoding


class MessageFrame(NamedTuple):
    """What a message is, how many bytes its body has, and whether the buffers in it are compressed."""

    kind: int
    body: int
    compressed: bool


def frame(metadata: bytes) -> MessageFrame:
    """The frame that a message's metadata tell. Raises ValueError where they are none."""
    verify(CONTINUATION + len(metadata).to_bytes(4, "little") + metadata)
    try:
        root = _at("<I", metadata, 0)
        kind, body = _field("<B", metadata, root, _KIND), _field("<q", metadata, root, _BODY)
        header = _table(metadata, root, _HEADER)
        if kind == DICTIONARY and header is not None:
            header = _table(metadata, header, _DICTIONARY_DATA)
        if header is None:
            raise ValueError("a message has no content")
        if kind == SCHEMA:
            _check_fields(metadata, header, _FIELDS)
        batch = kind in (DICTIONARY, RECORD_BATCH)
        if batch:
            _check_batch(metadata, header, body)
        return MessageFrame(kind, body, batch and _table(metadata, header, _COMPRESSION) is not None)
    except struct.error as error:
        raise ValueError("the metadata of a message are damaged") from error


def _check_batch(data: bytes, batch: int, body: int) -> None:
    """Raises ValueError where a batch has a length that no rows have, or buffers that are not in its body."""
    if not 0 <= _field("<q", data, batch, _LENGTH) <= MOST_ROWS:
        raise ValueError("a batch has an impossible length")
    for length, nulls in _pairs(data, batch, _NODES):
        if not 0 <= nulls <= length <= MOST_ROWS:
            raise ValueError("a column has an impossible length")
    for offset, length in _pairs(data, batch, _BUFFERS):
        if offset < 0 or length < 0 or offset + length > body:
            raise ValueError("a buffer is not in the body of its message")


def _pairs(data: bytes, batch: int, place: int) -> Iterator[tuple[int, int]]:
    vector = _table(data, batch, place)
    if vector is None:
        raise ValueError("a batch has no columns")
    start, count = vector + 4, _at("<I", data, vector)
    for at in range(start, start + _PAIR * count, _PAIR):
        yield _at("<q", data, at), _at("<q", data, at + 8)


def _check_fields(data: bytes, table: int, place: int) -> None:
    """Raises ValueError where a field, or a child of one, is of no type: nanoarrow looks into it all the same."""
    vector = _table(data, table, place)
    for number in range(_at("<I", data, vector) if vector is not None else 0):
        at = (vector or 0) + 4 + 4 * number
        field = at + _at("<I", data, at)
        if not _field("<B", data, field, _TYPE_NAME) or _table(data, field, _TYPE) is None:
            raise ValueError("a column has no type")
        coded = _table(data, field, _CODED)
        if coded is not None and _table(data, coded, _INDEX_TYPE) is None:
            raise ValueError("a column with a dictionary does not say of what type its indices are")
        _check_fields(data, field, _CHILDREN)


def _place(data: bytes, table: int, field: int) -> int | None:
    """Where a field of a table is; None where it is left out."""
    vtable = table - _at("<i", data, table)
    entry = 4 + 2 * field
    if entry + 2 > _at("<H", data, vtable):
        return None
    offset = _at("<H", data, vtable + entry)
    return table + offset if offset else None


def _field(form: str, data: bytes, table: int, field: int) -> int:
    place = _place(data, table, field)
    return 0 if place is None else _at(form, data, place)


def _table(data: bytes, table: int, field: int) -> int | None:
    place = _place(data, table, field)
    return None if place is None else place + _at("<I", data, place)


def _at(form: str, data: bytes, place: int) -> int:
    if place < 0:
        raise struct.error("before the beginning")
    found: int = struct.unpack_from(form, data, place)[0]
    return found
