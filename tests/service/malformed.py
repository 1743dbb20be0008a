"""Bodies with something wrong in them: by mutation of good ones, from a seed, and by structure, drawn by Hypothesis."""

import gzip
import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from backports import zstd
from hypothesis import strategies as st

from service.forms.form import Form
from tests.service.forms.sent import as_arrow, as_columns_and_rows, as_csv, as_list, as_ndjson
from tests.service.requests import FEATURES, by_features, by_transactions, line

ONE, MANY = "/segment", "/segment/batch"
MOST_BYTES = 300_000
PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda plain: gzip.compress(plain, 1),
    "zstd": lambda plain: zstd.compress(plain, 1),
}


class Sent(NamedTuple):
    """A request's path, what it says its body is, and the body."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class Seed(NamedTuple):
    """A good body in one of the forms."""

    path: str
    kind: str
    body: bytes


def seeds() -> Sequence[Seed]:
    """Good bodies of every form, by features and by transactions."""
    features = [by_features("1"), by_features("2", as_of=None, return_rate=0.5)]
    lines = [line(), line(quantity=-1, invoice_no="C1"), line(stock_code=None, description='a, "b"', country=None)]
    purchases = [by_transactions(*lines, customer_id="4"), by_transactions(*lines * 5, customer_id="5")]
    one = [Seed(ONE, Form.JSON, json.dumps(item).encode()) for item in features + purchases]
    many = [
        Seed(MANY, form, written(items))
        for items in (features, purchases)
        for form, written in (
            (Form.JSON, as_list), (Form.JSON, as_columns_and_rows), (Form.NDJSON, as_ndjson), (Form.CSV, as_csv),
            (Form.ARROW, as_arrow), (Form.ARROW, lambda items: as_arrow(items, coded=True)),
        )
    ]  # fmt: skip
    return [*one, *many]


# What decoders stumble over, wherever it stands.
WORDS: Sequence[bytes] = (
    b"\x00", b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf4\x90\x80\x80", "\u2028".encode(),
    b'"\\ud800"', b"\\u0000", b"\\", b'"', b'""', b"'", b",", b",,", b":", b"\n", b"\r", b"\r\n", b"\t", b"{", b"}",
    b"[", b"]", b"{}", b"[]", b"null", b"true", b"NaN", b"Infinity", b"-Infinity", b"-0", b"-0.0", b"1e999", b"-1e999",
    b"1e-999", b"1E400", b"0x10", b"01", b"1.", b".5", b"9" * 400, b"9" * 5_000, b"1" + b"0" * 308, b"1e308", b"-1e308",
    b"18446744073709551616", b"9223372036854775808", b"-9223372036854775809", b"4294967296", b"[" * 5_000,
    b'{"a":' * 3_000, b"[" * 200_000, b'{"features":' * 20_000, b'"customer_id":"again",', b'"features":{},',
    b'"transactions":[],', b'"as_of":null,', b'"recency":1,', b'"__proto__":{},', b'"9999-12-31T23:59:59Z"',
    b'"0001-01-01T00:00:00+23:59"', b'"2011-02-30T00:00:00Z"', b'"2011-12-10T00:00:00+99:99"',
    b'"2011-12-10T24:00:00Z"',
    b'"1900-01-01T00:00:00+14:00"', b'"2200-12-31T23:59:59-14:00"', b'"2011-12-10T00:00:00.123456789Z"', b'"20111210"',
    b"2011-12-10", b"1323475200", b'"' + b"x" * 100_000 + b'"', b"customer_id", b"quantity", b"a" * 300, b" " * 10_000,
    b"\n" * 1_000, b'"\n', b"ARROW1\0\0", b"\xff\xff\xff\xff\0\0\0\0", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xff" * 8,
)  # fmt: skip
KINDS: Sequence[str] = (
    *Form, "application/json; charset=utf-16", "text/csv; charset=latin-1", "text/plain", "application/problem+json",
    "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "", ";", "application/json;;=",
)  # fmt: skip
ENCODINGS: Sequence[str] = ("gzip", "zstd", "gzip, zstd", "br", "identity", "deflate", "", "GZIP", "x-gzip")
_NUMBER = re.compile(rb"-?\d+(\.\d+)?")
_TEXT = re.compile(rb'"[^"]*"')


class Mutation:
    """Makes wrong bodies out of good ones, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._seeds = seeds()
        self._ways = (
            self._flip, self._flip, self._drop, self._repeat, self._insert, self._cut, self._word, self._word,
            self._number, self._number, self._text, self._swap, self._splice,
        )  # fmt: skip

    def next(self) -> Sent:
        dice = self._dice
        path, kind, body = dice.choice(self._seeds)
        for _ in range(dice.choice((1, 1, 1, 2, 3, 6))):
            body = dice.choice(self._ways)(body)[:MOST_BYTES]
        headers = {"Content-Type": str(kind)}
        if dice.random() < 0.15:
            encoding = dice.choice(tuple(PACKERS))
            headers["Content-Encoding"] = encoding
            body = PACKERS[encoding](body)
            if dice.random() < 0.5:
                body = dice.choice((self._flip, self._drop, self._repeat, self._insert, self._cut))(body)
        self._mislead(headers)
        if dice.random() < 0.03:
            path = f"{path}?dry_run={dice.choice(('true', 'false', 'x', '', '%00', '%FF'))}"
        return Sent(path, headers, body)

    def _mislead(self, headers: dict[str, str]) -> None:
        """Headers that say something else, now and then."""
        dice = self._dice
        if dice.random() < 0.04:
            headers["Content-Type"] = dice.choice(KINDS)
        if dice.random() < 0.02:
            headers["Content-Encoding"] = dice.choice(ENCODINGS)
        if dice.random() < 0.1:
            headers["Accept"] = dice.choice(tuple(Form))
        if dice.random() < 0.03:
            headers["Idempotency-Key"] = dice.choice(("a", "b", f"k{dice.randrange(10**9)}", " ", "x" * 300, "\xe9"))

    def _place(self, body: bytes) -> int:
        return self._dice.randrange(len(body) + 1)

    def _slice(self, body: bytes) -> tuple[int, int]:
        start = self._place(body)
        return start, min(len(body), start + self._dice.choice((1, 2, 4, 8, 30, 200)))

    def _flip(self, body: bytes) -> bytes:
        changed = bytearray(body)
        for _ in range(self._dice.choice((1, 1, 2, 5))):
            if changed:
                changed[self._dice.randrange(len(changed))] = self._dice.choice((0, 1, 0x7F, 0x80, 0xFF, self._byte()))
        return bytes(changed)

    def _byte(self) -> int:
        return self._dice.randrange(256)

    def _drop(self, body: bytes) -> bytes:
        start, end = self._slice(body)
        return body[:start] + body[end:]

    def _repeat(self, body: bytes) -> bytes:
        start, end = self._slice(body)
        return body[:start] + body[start:end] * self._dice.choice((2, 3, 50)) + body[end:]

    def _insert(self, body: bytes) -> bytes:
        at = self._place(body)
        return body[:at] + self._dice.randbytes(self._dice.choice((1, 2, 8, 64))) + body[at:]

    def _cut(self, body: bytes) -> bytes:
        return body[: self._place(body)]

    def _word(self, body: bytes) -> bytes:
        start, end = self._slice(body)
        return body[:start] + self._dice.choice(WORDS) + body[self._dice.choice((start, end)) :]

    def _number(self, body: bytes) -> bytes:
        return self._instead(_NUMBER, body)

    def _text(self, body: bytes) -> bytes:
        return self._instead(_TEXT, body)

    def _instead(self, of: re.Pattern[bytes], body: bytes) -> bytes:
        """A word in place of a number or a text: what is left is mostly well-formed."""
        found = list(of.finditer(body))
        if not found:
            return self._word(body)
        start, end = self._dice.choice(found).span()
        return body[:start] + self._dice.choice(WORDS) + body[end:]

    def _swap(self, body: bytes) -> bytes:
        a, b, c, d = sorted(self._place(body) for _ in range(4))
        return body[:a] + body[c:d] + body[b:c] + body[a:b] + body[d:]

    def _splice(self, body: bytes) -> bytes:
        other = self._dice.choice(self._seeds).body
        return body[: self._place(body)] + other[self._place(other) :]


_MOMENTS = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.sampled_from(["2011-12-10T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01", "2011-02-30", "now", ""]),
)
_NUMBERS = st.one_of(
    st.floats(), st.integers(), st.sampled_from([0, -0.0, 1e12, 1e12 + 1, 5e-324, 1e308, 2**63, 10**400, -1])
)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(max_size=30) | _MOMENTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
_IDS = st.one_of(st.text(min_size=1, max_size=260), st.integers(), _ANYTHING)


def _nearly(good: Mapping[str, Any], *others: str) -> st.SearchStrategy[dict[str, Any]]:
    """The good object with some fields missing, some of anything, and perhaps some that are not known."""
    fields = {name: st.just(value) | _NUMBERS | _ANYTHING for name, value in good.items()}
    return st.fixed_dictionaries({}, optional={**fields, **dict.fromkeys(others, _ANYTHING)})


_LINES = st.lists(_nearly(line(description="x", invoice_date="2011-12-01"), "colour") | _ANYTHING, max_size=4)
CUSTOMERS = st.one_of(
    st.fixed_dictionaries(
        {}, optional={"customer_id": _IDS, "as_of": _MOMENTS, "features": _nearly(FEATURES, "colour", "main_country"),
                      "transactions": _LINES, "colour": _ANYTHING}
    ),
    _nearly(by_features()),
    _nearly(by_transactions(line())),
    st.fixed_dictionaries({"customer_id": _IDS, "features": st.just(FEATURES)}, optional={"as_of": _MOMENTS}),
    st.fixed_dictionaries({"customer_id": st.just("1"), "transactions": _LINES}, optional={"as_of": _MOMENTS}),
    _ANYTHING,
)  # fmt: skip
_COLUMNS = st.lists(st.sampled_from(["customer_id", "as_of", *FEATURES, *line(), "main_country", "x"]), max_size=12)
_CELLS = st.lists(_NUMBERS | _MOMENTS | _IDS, max_size=12)


@st.composite
def _tables(draw: st.DrawFn) -> Any:
    columns = draw(st.just(["customer_id", *FEATURES]) | st.just(["customer_id", *line()]) | _COLUMNS)
    exact = st.lists(_NUMBERS | _MOMENTS | _IDS | st.just("1"), min_size=len(columns), max_size=len(columns))
    return {"columns": columns, "rows": draw(st.lists(exact | _CELLS, max_size=4))}


def _csv(table: Mapping[str, Any]) -> bytes:
    rows = [table["columns"], *table["rows"]]
    return "\r\n".join(",".join(map(_cell, row)) for row in rows).encode("utf-8", "surrogatepass")


def _cell(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else json.dumps(value)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


STRUCTURED: st.SearchStrategy[Sent] = st.one_of(
    CUSTOMERS.map(lambda one: Sent(ONE, {"Content-Type": Form.JSON.value}, _json(one))),
    st.lists(CUSTOMERS, max_size=4).map(lambda all: Sent(MANY, {"Content-Type": Form.JSON.value}, _json(all))),
    st.lists(CUSTOMERS, max_size=4).map(
        lambda all: Sent(MANY, {"Content-Type": Form.NDJSON.value}, b"\n".join(map(_json, all)))
    ),
    (_tables() | _ANYTHING).map(lambda table: Sent(MANY, {"Content-Type": Form.JSON.value}, _json(table))),
    _tables().map(lambda table: Sent(MANY, {"Content-Type": Form.CSV.value}, _csv(table))),
)
