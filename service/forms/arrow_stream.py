"""Customers as an Arrow IPC stream: a column for each feature, or a row for each transaction."""

from collections.abc import Iterator
from typing import Any

import nanoarrow as na
import numpy as np
from nanoarrow.ipc import InputStream

from service.errors import BodyTooLarge, Fault, InvalidRequest
from service.forms.arrow_column import ArrowColumn
from service.forms.arrow_message import CONTINUATION, DICTIONARY, MOST_METADATA, PREFIX, SCHEMA, MessageFrame, frame
from service.forms.customer_rows import CustomerRows
from service.forms.layout import AS_OF, CUSTOMER_ID, Layout
from service.forms.reader import Chunk, Item, in_chunks
from service.forms.sent_columns import SentColumns
from service.served_model import ServedModel

EXACT_BELOW = {"half_float": 2**11, "float": 2**24}


class ArrowReader:
    """Reads messages whole, each of at most `most` bytes; in chunks of at most `size` customers."""

    def __init__(self, served: ServedModel, size: int, most: int) -> None:
        self._served = served
        self._size = size
        self._most = most
        self._buffer = bytearray()
        self._messages = _Messages()
        self._stream: Any = None
        self._layout: Layout | None = None
        self._rows: CustomerRows | None = None
        self._dictionaries = 0
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Chunk]:
        self._buffer += data
        while message := self._next():
            yield from self._taken(*message)

    def end(self) -> Iterator[Chunk]:
        if self._buffer:
            raise _damaged("breaks off in the middle of a message")
        if self._layout is None:
            raise _damaged("has no schema; send an Arrow IPC stream")
        yield from in_chunks(self._rows.end() if self._rows else (), self._size)

    def _next(self) -> tuple[MessageFrame, bytes] | None:
        """The next message, once it is there whole."""
        if len(self._buffer) < PREFIX:
            return None
        if self._ended:
            raise _damaged("goes on after its end")
        if not self._buffer.startswith(CONTINUATION):
            raise _damaged("is none where a message should begin; send the stream form of Arrow IPC, not the file form")
        size = int.from_bytes(self._buffer[4:PREFIX], "little", signed=True)
        if size == 0:
            del self._buffer[:PREFIX]
            self._ended = True
            return self._next()
        if not 0 < size <= MOST_METADATA:
            raise _damaged("has a message of impossible size")
        if len(self._buffer) < PREFIX + size:
            return None
        try:
            found = frame(bytes(self._buffer[PREFIX : PREFIX + size]))
        except ValueError as error:
            raise _damaged(f"cannot be read: {error}") from error
        self._check(found)
        whole = PREFIX + size + found.body
        if len(self._buffer) < whole:
            return None
        message = bytes(memoryview(self._buffer)[:whole])
        del self._buffer[:whole]
        return found, message

    def _check(self, found: MessageFrame) -> None:
        if found.body < 0:
            raise _damaged("has a message of impossible size")
        if found.body > self._most or self._dictionaries > self._most:
            raise BodyTooLarge(
                f"a record batch, or the dictionaries together, have more than {self._most:,} bytes; "
                "send smaller record batches"
            )
        if found.compressed:
            raise _damaged("has compressed buffers; send them as they are, and the body with Content-Encoding: zstd")

    def _taken(self, found: MessageFrame, message: bytes) -> Iterator[Chunk]:
        if (found.kind == SCHEMA) == (self._stream is not None):
            raise _damaged("must have one schema, and have it first")
        self._messages.append(message)
        try:
            if found.kind == SCHEMA:
                self._open()
            elif found.kind == DICTIONARY:
                self._dictionaries += len(message)
            else:
                yield from self._batch(self._stream.get_next())
        except (RuntimeError, ValueError, NotImplementedError, StopIteration) as error:
            raise _damaged(f"cannot be read: {str(error)[:200]}") from error

    def _open(self) -> None:
        self._stream = na.c_array_stream(InputStream.from_readable(self._messages))
        self._schema = self._stream.get_schema()
        names = [self._schema.child(index).name or "" for index in range(self._schema.n_children)]
        self._layout = Layout(names, self._served)
        if self._layout.of_transactions or self._served.model.columns:
            self._rows = CustomerRows(self._layout, self._served)

    def _batch(self, array: Any) -> Iterator[Chunk]:
        view = array.view()  # its parts do not keep the array alive: all that is kept of them is a copy
        for start in range(0, array.length, self._size):
            length = min(self._size, array.length - start)
            columns = {
                self._schema.child(index).name: ArrowColumn(self._schema.child(index), view.child(index), start, length)
                for index in range(self._schema.n_children)
            }
            _check_kinds(columns)
            _check_ids(columns[CUSTOMER_ID])
            yield from self._customers(columns)

    def _customers(self, columns: dict[str, ArrowColumn]) -> Iterator[Chunk]:
        assert self._layout is not None  # noqa: S101 (there is no batch before the schema)
        features = [columns[name] for name in self._layout.values]
        if self._rows is None and all(column.numeric for column in features):
            yield self._sent_columns(columns, self._layout)
        else:
            rows = self._rows or CustomerRows(self._layout, self._served)
            yield from in_chunks(self._items(columns, rows), self._size)

    def _sent_columns(self, columns: dict[str, ArrowColumn], layout: Layout) -> SentColumns:
        moments = columns[AS_OF].values() if AS_OF in columns else None
        features = {name: _float64(columns[name]) for name in layout.values}
        ids = columns[CUSTOMER_ID]
        if ids.kind.startswith(("int", "uint")) and ids.known is None and not ids.coded:
            return SentColumns(list(map(str, ids.numbers().tolist())), moments, features)
        return SentColumns(ids.values(), moments, features)

    def _items(self, columns: dict[str, ArrowColumn], rows: CustomerRows) -> Iterator[Item]:
        names = list(columns)
        for cells in zip(*(column.values() for column in columns.values()), strict=True):
            size = sum(len(one) for one in cells if type(one) is str)
            yield from rows.add(dict(zip(names, cells, strict=True)), size)


class _Messages:
    """What nanoarrow reads from: it is asked for a batch when the whole of it is here, so it never waits."""

    def __init__(self) -> None:
        self._left = memoryview(b"")

    def append(self, message: bytes) -> None:
        self._left = memoryview(bytes(self._left) + message if self._left else message)

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), len(self._left))
        memoryview(buffer).cast("B")[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _check_kinds(columns: dict[str, ArrowColumn]) -> None:
    for name, column in columns.items():
        if not column.readable or (name == CUSTOMER_ID and column.kind == "na"):
            wrong = f"the column {name!r} is of type {column.kind}; send numbers, texts (string) or timestamps"
            raise InvalidRequest([Fault("", wrong)])


def _check_ids(ids: ArrowColumn) -> None:
    """Raises InvalidRequest where ids are floats that stand for several whole numbers each; of those of 64 bits each
    request is checked by itself."""
    exact = EXACT_BELOW.get(ids.kind)
    if exact is None or ids.coded:
        return
    numbers = ids.numbers() if ids.known is None else ids.numbers()[ids.known]
    if (np.abs(numbers) >= exact).any():
        wrong = (
            f"the column {CUSTOMER_ID!r} is of type {ids.kind}, which holds no whole number from {exact:,} on exactly"
        )
        raise InvalidRequest([Fault("", f"{wrong}; send it as text or as int64")])


def _float64(column: ArrowColumn) -> Any:
    values = column.numbers().astype(np.float64)
    if column.known is not None:
        values[~column.known] = np.nan
    return values


def _damaged(what: str) -> InvalidRequest:
    return InvalidRequest([Fault("", f"the Arrow stream {what}")])
