"""The frame of a message in an Arrow IPC stream, read without reading the message.

https://arrow.apache.org/docs/format/Columnar.html#encapsulated-message-format: the continuation marker, the size of the
metadata, the metadata (a flatbuffer `Message`), the body. What a message takes is known before any of its body came,
so that memory is bounded; what is inside, nanoarrow reads and checks.
"""

import struct
from typing import NamedTuple

CONTINUATION = b"\xff\xff\xff\xff"
PREFIX = 8
MOST_METADATA = 1_048_576
SCHEMA, DICTIONARY, RECORD_BATCH = 1, 2, 3

# The fields of the flatbuffer tables, by their places in Message.fbs.
_KIND, _HEADER, _BODY = 1, 2, 3
_DICTIONARY_DATA, _COMPRESSION = 1, 3


class MessageFrame(NamedTuple):
    """What a message is, how many bytes its body has, and whether the buffers in it are compressed."""

    kind: int
    body: int
    compressed: bool


def frame(metadata: bytes) -> MessageFrame:
    """The frame that a message's metadata tell. Raises ValueError where they are none."""
    try:
        root = _at("<I", metadata, 0)
        kind, body = _field("<B", metadata, root, _KIND), _field("<q", metadata, root, _BODY)
        header = _table(metadata, root, _HEADER)
        if kind == DICTIONARY and header is not None:
            header = _table(metadata, header, _DICTIONARY_DATA)
        batch = kind in (DICTIONARY, RECORD_BATCH) and header is not None
        return MessageFrame(kind, body, batch and _table(metadata, header or 0, _COMPRESSION) is not None)
    except struct.error as error:
        raise ValueError("the metadata of a message are damaged") from error


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
