"""Bodies within the limits that are made to take more memory or time than they have bytes for."""

import gzip
import io
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

import pyarrow as pa
from backports import zstd

LARGE = 30_000_000
EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"  # of deflate
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
FEATURE_COLUMNS = b"customer_id,recency,frequency,monetary,tenure,mean_gap,distinct_products\n"
LINE_COLUMNS = b"customer_id,invoice_no,quantity,invoice_date,unit_price\n"
FEATURES = b'{"recency":12,"frequency":5,"monetary":812.5,"tenure":200,"mean_gap":47,"distinct_products":40}'
LINE = b'{"quantity":1,"invoice_date":"2011-12-01","unit_price":1}'


class Hostile(NamedTuple):
    """A body to be sent, packed or not, and what it has when it is unpacked."""

    body: bytes
    kind: str = JSON
    encoding: str = ""
    plain: int = 0

    @property
    def size(self) -> int:
        return self.plain or len(self.body)


def filled(before: bytes, piece: bytes, after: bytes, size: int = LARGE) -> bytes:
    """As many pieces between two ends as make the size."""
    return before + piece * ((size - len(before) - len(after)) // len(piece)) + after


def distinct(form: bytes, count: int) -> bytes:
    """The form with each number in it, joined by commas."""
    return b",".join([form % number for number in range(count)])


VALUES: Mapping[str, Callable[[], bytes]] = {
    "empty lists": lambda: filled(b"[", b"[],", b"[]]"),
    "empty objects": lambda: filled(b"[", b"{},", b"{}]"),
    "numbers": lambda: filled(b"[", b"1,", b"1]"),
    "lists in lists": lambda: b"[" * (LARGE // 2) + b"]" * (LARGE // 2),
    "objects in objects": lambda: b'{"a":' * (LARGE // 6) + b"1" + b"}" * (LARGE // 6),
    "a number of a million digits": lambda: b"1" * 1_000_000,
    "a text": lambda: filled(b'"', b"a", b'"'),
    "a text with an emoji": lambda: filled(b'"\xf0\x9f\x98\x80', b"a", b'"'),
    "escapes": lambda: filled(b'"', b"\\ud83d\\ude00", b'"'),
    "white space": lambda: b" " * LARGE + b"1",
    "texts": lambda: filled(b"[", b'"\xf0\x9f\x98\x80",', b'""]'),
    "long texts": lambda: filled(b"[", b'"\xf0\x9f\x98\x80%b",' % (b"a" * 60_000), b'""]'),
    "unknown keys": lambda: b"{%b}" % distinct(b'"key%d":1', 1_500_000),
    "a key again and again": lambda: filled(b"{", b'"a":1,', b'"a":1}'),
    "objects with a key": lambda: filled(b"[", b'{"a":1},', b"{}]"),
    "transactions": lambda: filled(b"[", LINE + b",", LINE + b"]"),
    "few thousand empty objects": lambda: filled(b"[", b"{},", b"{}]", 29_000),
    "few thousand objects of unknown keys": lambda: filled(
        b"[", b"{%b}," % distinct(b'"k%d":1', 30), b"{}]", 1_500_000
    ),
}
ONE: Mapping[str, tuple[bytes, bytes]] = {
    "the body": (b"", b""),
    "the features": (b'{"customer_id":"1","features":', b"}"),
    "the transactions": (b'{"customer_id":"1","transactions":', b"}"),
}
MANY: Mapping[str, tuple[bytes, bytes]] = {
    "the body": (b"", b""),
    "an item": (b"[", b"]"),
    "the features": (b'[{"customer_id":"1","features":', b"}]"),
    "the transactions": (b'[{"customer_id":"1","transactions":', b"}]"),
    "the columns": (b'{"columns":', b',"rows":[]}'),
    "the rows": (b'{"columns":["customer_id","quantity","invoice_date","unit_price"],"rows":', b"}"),
    "a row": (b'{"columns":["customer_id","quantity","invoice_date","unit_price"],"rows":[', b"]}"),
}


def customers(customer: bytes, size: int = LARGE) -> bytes:
    """A list of them."""
    return filled(b"[", customer + b",", customer + b"]", size)


BATCHES: Mapping[str, Callable[[], Hostile]] = {
    "as many customers as may be": lambda: Hostile(
        customers(b'{"customer_id":"1","features":%b}' % FEATURES, 1_250_000)
    ),
    "more customers than may be": lambda: Hostile(customers(b'{"customer_id":"1","features":%b}' % FEATURES)),
    "customers of many transactions": lambda: Hostile(
        customers(b'{"customer_id":"1","transactions":[%b]}' % b",".join([LINE] * 9_000))
    ),
    "customers of many unusual transactions": lambda: Hostile(
        customers(
            b'{"customer_id":"1","transactions":[%b]}'
            % b",".join([LINE.replace(b"1,", b'1,"invoice_no":7,', 1)] * 9_000)
        )
    ),
    "customers of many wrong transactions": lambda: Hostile(
        customers(b'{"customer_id":"1","transactions":[%b]}' % b",".join([b'{"quantity":"x"}'] * 9_000))
    ),
    "rows of transactions": lambda: Hostile(
        b'{"columns":["customer_id","quantity","invoice_date","unit_price"],"rows":%b}'
        % customers(b'["1",1,"2011-12-01",1.5]')
    ),
    "NDJSON: empty lines": lambda: Hostile(b"\n" * LARGE, NDJSON),
    "NDJSON: a line": lambda: Hostile(b"[" * LARGE, NDJSON),
    "NDJSON: lines of unknown keys": lambda: Hostile((b"{%b}\n" % distinct(b'"k%d":1', 90_000)) * 20, NDJSON),
    "NDJSON: lines of lists": lambda: Hostile((filled(b"[", b"[],", b"[]]", 1_000_000) + b"\n") * 30, NDJSON),
    "CSV: empty lines": lambda: Hostile(b"\n" * LARGE, CSV),
    "CSV: empty lines after the header": lambda: Hostile(FEATURE_COLUMNS + b"\n" * LARGE, CSV),
    "CSV: a line": lambda: Hostile(b"a" * LARGE, CSV),
    "CSV: columns": lambda: Hostile(b"a," * 500_000 + b"\n", CSV),
    "CSV: cells": lambda: Hostile(FEATURE_COLUMNS + (b"," * 1_000_000 + b"\n") * 30, CSV),
    "CSV: quotes": lambda: Hostile(FEATURE_COLUMNS + b'"' * LARGE, CSV),
    "gzip: empty members": lambda: Hostile(gzip.compress(b"") * (LARGE // 20), NDJSON, "gzip"),
    "gzip: one member without end": lambda: Hostile(
        gzip.compress(b"")[:10] + EMPTY_BLOCK * (LARGE // 5), NDJSON, "gzip"
    ),
    "gzip: empty lists": lambda: packed(gzip.compress, VALUES["empty lists"](), "gzip"),
    "zstd: empty frames": lambda: Hostile(zstd.compress(b"") * (LARGE // 9), NDJSON, "zstd"),
    "zstd: skipped frames": lambda: Hostile(struct.pack("<II", 0x184D2A50, 0) * (LARGE // 8), NDJSON, "zstd"),
    "zstd: empty lists": lambda: packed(zstd.compress, VALUES["empty lists"](), "zstd"),
    "zstd: more than may be unpacked": lambda: packed(zstd.compress, bytes(1_000_000_000), "zstd", most=33_554_432),
}


# How many pieces a body has, and the body of so many. Those that take up to a minute to answer at the largest size that
# may be sent are of a tenth of it and less, and larger with `--fuzz`.
SCALED: Mapping[str, tuple[int, Callable[[int], Hostile]]] = {
    "customers without features": (10_000, lambda count: Hostile(b"[%b]" % b",".join([b'{"features":{}}'] * count))),
    "NDJSON: white space": (1_000_000, lambda count: Hostile(b" \n" * count, NDJSON)),
    "NDJSON: empty lists": (100_000, lambda count: Hostile(b"[]\n" * count, NDJSON)),
    "NDJSON: customers without features": (20_000, lambda count: Hostile(b'{"features":{}}\n' * count, NDJSON)),
    "CSV: rows of nothing": (50_000, lambda count: Hostile(FEATURE_COLUMNS + b",,,,,,\n" * count, CSV)),
    "CSV: a cell of lines": (3_000_000, lambda count: Hostile(FEATURE_COLUMNS + b'"' + b"\n" * count, CSV)),
    "CSV: a customer of many transactions": (
        150_000, lambda count: Hostile(LINE_COLUMNS + b"1,7,1,2011-12-01,1\n" * count, CSV)
    ),
    "CSV: a customer of wrong transactions": (10_000, lambda count: Hostile(LINE_COLUMNS + b"1,,,,\n" * count, CSV)),
    "Arrow: empty record batches": (20_000, lambda count: Hostile(arrow(1, count), ARROW)),
    "Arrow: columns": (10_000, lambda count: Hostile(arrow(count, 1), ARROW)),
    "Arrow: nulls": (20_000, lambda count: Hostile(nulls(count), ARROW)),
    "gzip: members of a byte": (5_000, lambda count: Hostile(gzip.compress(b"\n") * count, NDJSON, "gzip")),
}  # fmt: skip


def scaled(name: str, times: int) -> Hostile:
    """The body with so many times its pieces, or as many as may be sent."""
    count, body = SCALED[name]
    size = len(body(count).body)
    return body(min(count * times, count * LARGE // size))


def packed(pack: Callable[[bytes], bytes], body: bytes, encoding: str, most: int = LARGE) -> Hostile:
    return Hostile(pack(body), JSON, encoding, min(len(body), most))


def arrow(columns: int, batches: int) -> bytes:
    """Record batches without rows."""
    names = ["customer_id", *(f"column{number}" for number in range(columns))]
    schema = pa.schema([(name, pa.float64()) for name in names])
    empty = pa.record_batch([pa.array([], pa.float64()) for _ in names], schema=schema)
    return _stream(schema, [empty] * batches)


def nulls(rows: int) -> bytes:
    """Rows of a bit each: who has no features."""
    names = FEATURE_COLUMNS.decode().strip().split(",")
    columns = [pa.array([True] * rows), *(pa.nulls(rows) for _ in names[1:])]
    batch = pa.record_batch(columns, names=names)
    return _stream(batch.schema, [batch])


def _stream(schema: pa.Schema, batches: list[pa.RecordBatch]) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, schema) as stream:
        for batch in batches:
            stream.write_batch(batch)
    return out.getvalue()


# A customer in each form, with nothing wrong.
ORDINARY: Mapping[str, bytes] = {
    JSON: b'[{"customer_id":"1","features":%b}]' % FEATURES,
    NDJSON: b'{"customer_id":"1","features":%b}\n' % FEATURES,
    CSV: FEATURE_COLUMNS + b"1,12,5,812.5,200,47,40\n",
    ARROW: arrow(10, 1),
}
