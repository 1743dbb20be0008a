"""Bodies within the limits that are made to take more memory or time than they have bytes for."""

import gzip
import io
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import pyarrow as pa
from backports import zstd

LARGE = 30_000_000
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
FEATURE_COLUMNS = b"customer_id,recency,frequency,monetary,tenure,mean_gap,distinct_products\n"
LINE_COLUMNS = b"customer_id,invoice_no,quantity,invoice_date,unit_price\n"
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
    "objects in objects": lambda: filled(b"", b'{"a":', b"1" + b"}" * 4_000_000),
    "a number": lambda: b"1" * 1_000_000,
    "a text": lambda: filled(b'"', b"a", b'"'),
    "a text with one character of four bytes": lambda: filled(b'"\xf0\x9f\x98\x80', b"a", b'"'),
    "escapes": lambda: filled(b'"', b"\\n", b'"'),
    "escaped characters": lambda: filled(b'"', b"\\ud83d\\ude00", b'"'),
    "white space": lambda: b" " * LARGE + b"1",
    "texts": lambda: filled(b"[", b'"\xf0\x9f\x98\x80",', b'""]'),
    "unknown keys": lambda: b"{%b}" % distinct(b'"key%d":1', 1_500_000),
    "one key again and again": lambda: filled(b"{", b'"a":1,', b'"a":1}'),
    "objects with a key": lambda: filled(b"[", b'{"a":1},', b"{}]"),
}
AROUND: Mapping[str, tuple[bytes, bytes]] = {
    "the whole": (b"", b""),
    "the id": (b'{"features":{},"customer_id":', b"}"),
    "the features": (b'{"customer_id":"1","features":', b"}"),
    "the transactions": (b'{"customer_id":"1","transactions":', b"}"),
    "a description": (b'{"customer_id":"1","transactions":[{"description":', b"}]}"),
}
IN_A_BATCH: Mapping[str, tuple[bytes, bytes]] = {
    "the batch": (b"", b""),
    "an item": (b"[", b"]"),
    "the features of an item": (b'[{"customer_id":"1","features":', b"}]"),
    "the transactions of an item": (b'[{"customer_id":"1","transactions":', b"}]"),
    "the columns": (b'{"columns":', b',"rows":[]}'),
    "the rows": (b'{"columns":["customer_id","quantity","invoice_date","unit_price"],"rows":', b"}"),
    "a row": (b'{"columns":["customer_id","quantity","invoice_date","unit_price"],"rows":[', b"]}"),
}
