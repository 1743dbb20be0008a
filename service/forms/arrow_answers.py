"""Answers as an Arrow IPC stream, a record batch per part."""

import io
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import nanoarrow as na
import numpy as np
from nanoarrow._array_stream import CArrayStream
from nanoarrow.ipc import StreamWriter
from numpy.typing import NDArray

from service.decided import Decided, DecidedColumns
from service.forms.arrow_column import EPOCH
from service.forms.arrow_message import CONTINUATION
from service.forms.flat_answer import COLUMNS, FlatAnswer, flat, problem_text
from service.forms.form import Form
from service.served_model import ServedModel

TYPES = {
    "index": na.int64(), "customer_id": na.string(), "assignment_id": na.string(), "as_of": na.timestamp("us", "UTC"),
    "model_version": na.string(), "segment_id": na.int32(), "segment": na.string(), "confidence": na.float64(),
    "runner_up_id": na.int32(), "runner_up": na.string(), "decays_on": na.date32(), "becomes_id": na.int32(),
    "products": na.string(), "problem": na.string(),
}  # fmt: skip
DTYPES = {"index": "i8", "as_of": "i8", "confidence": "f8", "decays_on": "i4"}  # of numbers, else 32 bits
TEXTS = {"customer_id", "assignment_id", "model_version", "segment", "runner_up", "products", "problem"}
FIRST_DAY = date(1970, 1, 1).toordinal()
END = CONTINUATION + bytes(4)
Known = NDArray[np.bool_] | None


class ArrowAnswers:
    """A `FlatAnswer` a row; columns that were decided as such become columns without a row being made of them."""

    media_type = Form.ARROW.value
    between = b""

    def __init__(self, served: ServedModel) -> None:
        self._schema = na.c_schema(na.struct(TYPES))
        self._served = served
        self._ids = np.array([one for one, _ in served.names])
        self._names = [name.encode() for _, name in served.names]
        self._products = [products.encode() for products in served.products]
        self.opening = self._written(CArrayStream.from_c_arrays([], self._schema), with_schema=True)

    def part(self, start: int, decided: Decided) -> Sequence[bytes]:
        if isinstance(decided, DecidedColumns):
            columns = self._of_columns(start, decided)
        else:
            columns = _of_rows([flat(index, one, decided.served) for index, one in enumerate(decided.items, start)])
        batch = na.c_array_from_buffers(self._schema, columns[0].length, [None], children=columns)
        return [self._written(batch, with_schema=False)]

    def closing(self, assigned: int, failed: int) -> bytes:
        return END

    def _written(self, arrays: Any, with_schema: bool) -> bytes:
        out = io.BytesIO()
        writer = StreamWriter.from_writable(out)
        writer.write_stream(arrays, write_schema=with_schema)
        writer.release()
        return out.getvalue()

    def _of_columns(self, start: int, decided: DecidedColumns) -> list[Any]:
        customers, count = decided.customers, len(decided.customers)
        known: Known = None
        if decided.wrong:
            known = np.ones(count, dtype=np.bool_)
            known[list(decided.wrong)] = False
        placed, decays = decided.placed, decided.decays()
        on = np.zeros(count, dtype=np.intp) if decays is None else decays.on
        becomes = placed.nearest if decays is None else decays.becomes
        decaying = on > 0 if known is None else (on > 0) & known
        version = decided.served.model.version.encode()
        return [
            _numbers("index", np.arange(start, start + count), None),
            _texts(customers.ids, known),
            _texts(decided.ids, known) if decided.ids else _few({}, count),
            _numbers("as_of", _microseconds(customers.moments), known),
            _chosen([version], np.zeros(count, dtype=np.intp), known),
            _numbers("segment_id", self._ids[placed.nearest], known),
            _chosen(self._names, placed.nearest, known),
            _numbers("confidence", decided.confidence, known),
            _numbers("runner_up_id", self._ids[placed.second], known),
            _chosen(self._names, placed.second, known),
            _numbers("decays_on", np.where(decaying, on - FIRST_DAY, 0), decaying),
            _numbers("becomes_id", self._ids[becomes], decaying),
            _chosen(self._products, placed.nearest, known),
            _few({row: problem_text(error) for row, error in decided.wrong.items()}, count),
        ]


def _of_rows(rows: Sequence[FlatAnswer]) -> list[Any]:
    columns = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    made = []
    for name, values in columns.items():
        known = np.array([value is not None for value in values], dtype=np.bool_)
        if name in TEXTS:
            made.append(_texts([value or "" for value in values], known))
        else:
            made.append(_numbers(name, [0 if value is None else _number(value) for value in values], known))
    return made


def _number(value: Any) -> float:
    if isinstance(value, datetime):
        return int(_microseconds([value])[0])
    return value.toordinal() - FIRST_DAY if isinstance(value, date) else value


def _microseconds(moments: Sequence[datetime]) -> NDArray[np.int64]:
    told: dict[int, int] = {}  # by identity: the rows of a batch share their moments
    for moment in moments:
        if id(moment) not in told:
            since = moment - EPOCH
            told[id(moment)] = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if len(told) == 1:
        return np.full(len(moments), next(iter(told.values())), dtype=np.int64)
    return np.array([told[id(moment)] for moment in moments], dtype=np.int64)


def _numbers(name: str, values: Any, known: Known) -> Any:
    data = np.ascontiguousarray(values, dtype=DTYPES.get(name, "i4"))
    return na.c_array_from_buffers(TYPES[name], len(data), [*_validity(known), data])


def _texts(values: Sequence[str], known: Known) -> Any:
    data = "".join(values).encode()
    lengths = map(len, values) if data.isascii() else (len(value.encode()) for value in values)
    return _text_column(data, np.fromiter(lengths, dtype=np.int32, count=len(values)), known)


def _few(texts: Mapping[int, str], count: int) -> Any:
    """A column of which few rows, or none, have a text."""
    lengths, known = np.zeros(count, dtype=np.int32), np.zeros(count, dtype=np.bool_)
    encoded = {row: texts[row].encode() for row in sorted(texts)}
    for row, text in encoded.items():
        lengths[row], known[row] = len(text), True
    return _text_column(b"".join(encoded.values()), lengths, known)


def _chosen(words: Sequence[bytes], which: NDArray[np.intp], known: Known) -> Any:
    """A column of few different words."""
    lengths = np.array([len(word) for word in words], dtype=np.int32)[which]
    return _text_column(b"".join([words[index] for index in which.tolist()]), lengths, known)


def _text_column(data: bytes, lengths: NDArray[np.int32], known: Known) -> Any:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return na.c_array_from_buffers(na.string(), len(lengths), [*_validity(known), offsets, data])


def _validity(known: Known) -> list[Any]:
    return [None if known is None or known.all() else np.packbits(known, bitorder="little")]
