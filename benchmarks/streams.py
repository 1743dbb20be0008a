"""Streams of customers, as they are sent, and what a caller knows of the answers, be they all there or not."""

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from benchmarks import bodies
from benchmarks.told import Told

ROWS = 500  # of a record batch, so that a stream has several
Customers = Sequence[Mapping[str, Any]]


class Received(NamedTuple):
    """The items that came whole: answers, and problems as the service words them."""

    told: list[Told]
    problems: list[Any]


class Form(NamedTuple):
    """How a stream is written, and how its answer is read."""

    media_type: str
    body: Callable[[Customers], bytes]
    received: Callable[[bytes, Customers], Received]


def _lines(customers: Customers) -> bytes:
    return b"\n".join(bodies.encoded([dict(one) for one in customers])) + b"\n"


def _received_lines(body: bytes, sent: Customers) -> Received:
    items = [json.loads(line) for line in body.split(b"\n")[:-1]]  # what follows the last line end is not whole
    told = [Told.of_answer(item["answer"]) for item in items if "answer" in item]
    return Received(told, [item["problem"] for item in items if "problem" in item])


def _arrow(customers: Customers) -> bytes:
    columns = {name: [one["features"][name] for one in customers] for name in bodies.NAMES}
    moments = [one.get("as_of") for one in customers]
    table = pa.table({"customer_id": [one["customer_id"] for one in customers], **columns, "as_of": moments})
    written = io.BytesIO()
    with pa.ipc.new_stream(written, table.schema) as stream:
        stream.write_table(table, max_chunksize=ROWS)
    return written.getvalue()


def _received_arrow(body: bytes, sent: Customers) -> Received:
    rows = [row for batch in _record_batches(body) for row in batch.to_pylist()]
    told = [Told.of_columns(row, sent[row["index"]]["features"]) for row in rows if row["problem"] is None]
    return Received(told, [json.loads(row["problem"]) for row in rows if row["problem"] is not None])


def _record_batches(body: bytes) -> Iterator[Any]:
    try:
        yield from pa.ipc.open_stream(body)
    except (pa.ArrowInvalid, OSError):  # it was cut off
        return


FORMS = (
    Form("application/x-ndjson", _lines, _received_lines),
    Form("application/vnd.apache.arrow.stream", _arrow, _received_arrow),
)
