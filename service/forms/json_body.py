"""Customers as one JSON text: a list of requests, or columns and rows."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import Fault, InvalidJson, InvalidRequest
from service.faults import faults_of, first_faults, shown
from service.forms.customer_rows import CustomerRows, Row
from service.forms.layout import AS_OF, Layout
from service.forms.reader import Chunk, Item
from service.json_structure import LARGE, BrokenJson, TooMuchJson, members
from service.served_model import ServedModel
from service.strict_decoder import BOM
from service.strict_json import WHITE_SPACE, decode_json, key_is_there_twice

NEITHER = "must be a list of customers, or an object that has columns and rows"
MOST_KEYS = 100  # of such an object: it has three
ROWS_AT_ONCE = 65_536  # bytes of rows that are decoded together
_KEY = re.compile(rb'\s*("(?:[^"\\]|\\.)*")\s*:', re.DOTALL)


class SentTable(BaseModel):
    """Customers as columns and rows: a row has a customer's features, or one of a customer's transactions. Of the
    latter, consecutive rows of one customer are one customer."""

    model_config = ConfigDict(extra="forbid")

    as_of: str | None = Field(None, description="For all customers whose row has no `as_of`; default: now.")
    columns: list[str] = Field(
        fail_fast=True,
        description="`customer_id`, perhaps `as_of`, and the names of features, or of fields of transactions.",
    )
    rows: list[list[Any]] = Field(description="The values in the order of the columns; null where not known.")


def read_json(body: bytes, served: ServedModel) -> Chunk:
    """The customers in a body, in order. Raises InvalidRequest where it is neither, or has more than a batch may."""
    body = body.removeprefix(BOM)
    try:
        return _table(body, served) if body[:LARGE].lstrip(WHITE_SPACE)[:1] == b"{" else _list(body, served)
    except TooMuchJson as error:
        raise InvalidRequest([Fault("", str(error))]) from error
    except (BrokenJson, InvalidJson) as error:
        if len(body) <= LARGE:
            decode_json(body)  # says where in the body it is no JSON
        if isinstance(error, InvalidJson):
            raise
        raise InvalidRequest([Fault("", f"{NEITHER}; it {error}")]) from error


def _list(body: bytes, served: ServedModel) -> Chunk:
    """Each bad item by itself as what is wrong with it."""
    places = _places(body, served) if len(body) > LARGE else None
    sent = served.decode_list(body)
    if sent is not None and len(sent) <= served.limits.batch:
        return sent
    places = places or _places(body, served)
    return [_item(body[start:end], index, served) for index, (start, end) in enumerate(places)]


def _places(body: bytes, served: ServedModel) -> list[tuple[int, int]]:
    most = served.limits.batch
    places = list(islice(members(body), most + 1))
    if len(places) > most:
        raise _too_many(most)
    return places


def _item(text: bytes, index: int, served: ServedModel) -> Item:
    try:
        return served.decode(text)
    except InvalidJson as error:
        raise InvalidJson(error.faults[0].detail, f"/{index}") from error
    except InvalidRequest as error:
        return error.with_traceback(None)  # which would keep what was decoded


def _table(body: bytes, served: ServedModel) -> Chunk:
    sent = _values_by_key(body)
    rows_sent = sent.pop("rows", None)
    if rows_sent is None or "columns" not in sent:
        raise InvalidRequest([Fault("", NEITHER)])
    if not rows_sent.lstrip(WHITE_SPACE).startswith(b"["):
        raise InvalidRequest([Fault("/rows", "must be a list")])
    try:
        table = SentTable(**{name: _decoded(text, served) for name, text in sent.items()}, rows=[])
    except ValidationError as error:
        raise InvalidRequest(first_faults(faults_of(error.errors(include_url=False)))) from error
    layout, most = Layout(table.columns, served), served.limits.batch
    customers, items = CustomerRows(layout, served), list[Item]()
    for index, cells in enumerate(_rows(rows_sent, served)):
        items += customers.add(_row(index, cells, table, layout))
        if len(items) > most:
            break
    items += customers.end()
    if len(items) > most:
        raise _too_many(most)
    return items


def _values_by_key(body: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for start, end in islice(members(body), MOST_KEYS):
        key = _KEY.match(body, start, end)
        if key is None:
            raise BrokenJson("has something else than a key with a value in it")
        name = decode_json(key.group(1))
        if name in found:
            raise InvalidRequest([key_is_there_twice([name])])
        found[name] = body[key.end() : end]
    return found


def _rows(text: bytes, served: ServedModel) -> Iterator[Any]:
    """Each row, decoded together with those around it."""
    begin, last = 0, 0
    for start, end in members(text):
        if begin and end - begin > ROWS_AT_ONCE:
            yield from _decoded(b"[%b]" % text[begin:last], served)
            begin = 0
        begin, last = begin or start, end
    if begin:
        yield from _decoded(b"[%b]" % text[begin:last], served)


def _decoded(text: bytes, served: ServedModel) -> Any:
    if len(text) > LARGE:
        served.strict.check_size(text)
    return decode_json(text)


def _row(index: int, cells: Any, table: SentTable, layout: Layout) -> Row | Exception:
    if not isinstance(cells, list):
        raise InvalidRequest([Fault(f"/rows/{index}", f"is {shown(cells)}, and must be a list")])
    if len(cells) != len(layout.columns):
        wrong = f"has {len(cells)} values, and there are {len(layout.columns)} columns"
        return InvalidRequest([Fault(f"/rows/{index}", wrong)])
    row = dict(zip(layout.columns, cells, strict=True))
    if row.get(AS_OF) is None and table.as_of is not None:
        row[AS_OF] = table.as_of
    return row


def _too_many(most: int) -> InvalidRequest:
    return InvalidRequest([Fault("", f"the batch has more than {most:,} customers; send it in parts, or as a stream")])
