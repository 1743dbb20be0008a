"""Customers as one JSON text: a list of requests, or columns and rows."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from service.errors import Fault, InvalidRequest
from service.faults import faults_of
from service.forms.customer_rows import CustomerRows, Row
from service.forms.layout import AS_OF, Layout
from service.forms.reader import Chunk, Item
from service.served_model import ServedModel


class SentTable(BaseModel):
    """Customers as columns and rows: a row has a customer's features, or one of a customer's transactions. Of the
    latter, consecutive rows of one customer are one customer."""

    model_config = ConfigDict(extra="forbid")

    as_of: str | None = Field(None, description="For all customers whose row has no `as_of`; default: now.")
    columns: list[str] = Field(description="`customer_id`, perhaps `as_of`, and the names of features, or of fields of "
                               "transactions.")  # fmt: skip
    rows: list[list[Any]] = Field(description="The values in the order of the columns; null where not known.")


def read_json(body: bytes, served: ServedModel) -> Chunk:
    """The customers in a body, in order. Raises InvalidRequest where it is neither, or has more than a batch may."""
    if body.lstrip()[:1] != b"{":
        return served.decode_batch(body)
    table = _table(body)
    layout = Layout(table.columns, served)
    rows = CustomerRows(layout, served)
    items: list[Item] = []
    for index, cells in enumerate(table.rows):
        items += rows.add(_row(index, cells, table, layout))
        if len(items) > served.limits.batch:
            break
    items += rows.end()
    if len(items) > served.limits.batch:
        wrong = f"the batch has more than {served.limits.batch:,} customers; send it in parts, or as a stream"
        raise InvalidRequest([Fault("", wrong)])
    return items


def _table(body: bytes) -> SentTable:
    try:
        sent = from_json(body)
    except ValueError as error:
        raise InvalidRequest([Fault("", f"is not JSON: {error}")]) from error
    if not isinstance(sent, dict) or not {"columns", "rows"} <= sent.keys():
        raise InvalidRequest([Fault("", "must be a list of customers, or an object that has columns and rows")])
    try:
        return SentTable.model_validate(sent)
    except ValidationError as error:
        raise InvalidRequest(faults_of(error.errors(include_url=False))) from error


def _row(index: int, cells: list[Any], table: SentTable, layout: Layout) -> Row | Exception:
    if len(cells) != len(layout.columns):
        wrong = f"has {len(cells)} values, and there are {len(layout.columns)} columns"
        return InvalidRequest([Fault(f"/rows/{index}", wrong)])
    row = dict(zip(layout.columns, cells, strict=True))
    if row.get(AS_OF) is None and table.as_of is not None:
        row[AS_OF] = table.as_of
    return row
