"""GET /customers/{id}…: what was answered for one customer."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from models.customer import LONGEST, customer_id
from service.answer import AnswerRecord, Recommendation, SegmentName, StoredRecord
from service.assigning import recall
from service.errors import Fault, InvalidRequest, UnknownCustomer
from service.key_scope import KeyScope, needs
from service.routes.responses import problems
from service.state import Service, service_of
from service.store.assignment import Assignment

router = APIRouter(prefix="/customers", tags=["customers"])
# An id may hold slashes, so it takes the rest of the path; what follows an id is therefore matched first.
Id = Annotated[str, Path(description="The customer's id, as the shop writes it.", min_length=1, max_length=LONGEST)]


class History(BaseModel):
    """All answers for a customer, the newest first, page by page."""

    customer_id: str
    answers: list[StoredRecord]
    next: str | None = Field(description="Send as `cursor` to get the next page; null on the last.")


class CustomerRecommendation(BaseModel):
    """What to do about a customer, by the newest answer and the active model's playbooks."""

    customer_id: str
    model_version: str
    segment: SegmentName
    recommendation: Recommendation


@router.get(
    "/{id:path}/history", summary="All answers", responses=problems(404, 422), openapi_extra=needs(KeyScope.READ)
)
def history(
    id: Id,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(pattern="^[0-9A-Z]{26}$")] = None,
) -> History:
    """Every answer for a customer that was stored, the newest first."""
    service = service_of(request)
    known = _id(id)
    rows = service.reader.history(known, cursor, limit + 1)
    if not rows and cursor is None:
        raise _unknown()
    page = [StoredRecord.of(row) for row in rows[:limit]]
    return History(customer_id=known, answers=page, next=page[-1].assignment_id if len(rows) > limit else None)


@router.get(
    "/{id:path}/recommendations",
    summary="Advice for a customer",
    responses=problems(404, 422),
    openapi_extra=needs(KeyScope.READ),
)
def recommendations(id: Id, request: Request) -> CustomerRecommendation:
    """The advice for the segment of the newest answer, by the active model; products of the customer's own are those
    of that answer."""
    service = service_of(request)
    row = _current(id, service)
    served = service.live.current()
    segment = served.model.segment(row.segment_id)
    advice = served.advice.of_customer(
        served.index_of(row.segment_id), row.customer_id, row.feature_values, row.products
    )
    return CustomerRecommendation(
        customer_id=row.customer_id,
        model_version=served.model.version,
        segment=SegmentName(id=segment.id, name=segment.name),
        recommendation=Recommendation.model_validate_json(advice),
    )


@router.get(
    "/{id:path}",
    summary="The newest answer",
    response_model=AnswerRecord,
    responses=problems(404, 422),
    openapi_extra=needs(KeyScope.READ),
)
def current(id: Id, request: Request) -> Response:
    """The newest answer for a customer, as it was given.

    Where the model that gave it is no longer there, what was stored is answered without reasons and advice.
    """
    service = service_of(request)
    row = _current(id, service)
    served = service.live.earlier(row.model_version)
    if served is not None:
        return Response(recall(row, served), media_type="application/json")
    return Response(AnswerRecord.bare(row).model_dump_json(), media_type="application/json")


def _current(sent: str, service: Service) -> Assignment:
    row = service.reader.current(_id(sent))
    if row is None:
        raise _unknown()
    return row


def _id(sent: str) -> str:
    try:
        return customer_id(sent)
    except ValueError as error:
        raise InvalidRequest([Fault("id", str(error))]) from error


def _unknown() -> UnknownCustomer:
    return UnknownCustomer("no answer is stored for this customer; POST /segment makes one")
