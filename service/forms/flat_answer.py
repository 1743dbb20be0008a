"""An answer as a row of a table: what programs go on with, without the words around it."""

from datetime import date, datetime
from typing import NamedTuple

from pydantic_core import from_json

from service.assigned import Assigned
from service.decided import Remembered
from service.problem import item_problem
from service.served_model import ServedModel


class FlatAnswer(NamedTuple):
    """One item. `products` are codes with spaces between; `problem` is the JSON of a `Problem`, and then nothing else
    is there but `place`, which goes by the name `index`."""

    place: int
    customer_id: str | None = None
    assignment_id: str | None = None
    as_of: datetime | None = None
    model_version: str | None = None
    segment_id: int | None = None
    segment: str | None = None
    confidence: float | None = None
    runner_up_id: int | None = None
    runner_up: str | None = None
    decays_on: date | None = None
    becomes_id: int | None = None
    products: str | None = None
    problem: str | None = None


COLUMNS = ("index", *FlatAnswer._fields[1:])


def flat(index: int, one: Assigned | Remembered | Exception, served: ServedModel) -> FlatAnswer:
    """The row of an item."""
    if isinstance(one, Exception):
        return FlatAnswer(index, problem=problem_text(one))
    assigned, by = one if isinstance(one, Remembered) else (one, served)
    row, decay = assigned.row, assigned.decay
    return FlatAnswer(
        index,
        row.customer_id,
        row.id or None,
        row.as_of,
        row.model_version,
        row.segment_id,
        row.segment_name,
        row.confidence,
        row.runner_up_id,
        row.runner_up_name,
        decay.on if decay else None,
        by.names[decay.becomes][0] if decay else None,
        _codes(row.products) if row.products else by.products[assigned.nearest],
    )


def problem_text(error: Exception) -> str:
    return item_problem(error).model_dump_json(exclude_none=True)


def _codes(offers: str) -> str:
    return " ".join([offer["product"] for offer in from_json(offers)])
