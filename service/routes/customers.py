"""/customers/{id}…: what was answered for one customer, all of it in one document, and its erasure."""

from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from pydantic_core import from_json
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import Response, StreamingResponse
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from models.customer.customer_id import LONGEST, customer_id
from service.answer import AnswerRecord, Recommendation, SegmentName, StoredRecord
from service.assigning import recall
from service.caller import caller_of
from service.errors import Fault, InvalidRequest, UnknownCustomer
from service.key_scope import KeyScope, needs
from service.routes.responses import problems
from service.routes.route import Route
from service.state import Service, service_of
from service.store.assignment import Assignment

AFTER_ID = ("/history", "/recommendations", "/export")


class AfterId(Route):
    """What follows an id is the address's own last part. In `/customers/a%2Fhistory` it is a part of the id."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        matched, inside = super().matches(scope)
        if matched is not Match.NONE and _after_id(scope) != self.path.rpartition("}")[2]:
            return Match.NONE, {}
        return matched, inside

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        # The framework would name the methods of this route alone, and not of others with the same path.
        here = [route for route in router.routes if isinstance(route, APIRoute) and route.path == self.path]
        allowed = sorted({method for route in here for method in route.methods or ()})
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})


def _after_id(scope: Scope) -> str:
    sent: bytes = scope.get("raw_path") or scope["path"].encode()  # the address as it was sent, where the server tells
    following = sent.removeprefix(b"/customers/").decode("latin-1")
    return next((last for last in AFTER_ID if following.endswith(last)), "")


class CustomerIdConvertor(PathConvertor):
    """The rest of the path, line breaks as well: an id with one is refused as in a body, and is no unknown address."""

    regex = "(?s:.*)"


register_url_convertor("customer_id", CustomerIdConvertor())
router = APIRouter(prefix="/customers", tags=["customers"], route_class=AfterId)
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


class StoredAnswer(BaseModel):
    """An answer as it is stored, every field of it."""

    id: str
    customer_id: str
    as_of: datetime
    assigned_at: datetime
    model_version: str
    segment_id: int
    segment_name: str
    runner_up_id: int
    runner_up_name: str
    confidence: float
    features: dict[str, float | str | None]
    products: list[dict[str, Any]] | None


class CurrentRow(BaseModel):
    """Which answer is the customer's current one, as it is stored."""

    customer_id: str
    assignment_id: str
    segment_id: int
    model_version: str
    as_of: datetime
    confidence: float


class AuditedAct(BaseModel):
    """What was done with the customer's data, and by whom."""

    at: datetime
    who: str
    what: str


class Export(BaseModel):
    """Everything the store holds about a customer."""

    customer_id: str
    exported_at: datetime
    suppressed_at: datetime | None = Field(description="Since when nothing of the customer may be stored, if so.")
    current: CurrentRow | None
    audit: list[AuditedAct]
    answers: list[StoredAnswer] = Field(description="All that were stored, the first one first.")


class Erasure(BaseModel):
    """What was removed from the store."""

    answers: int
    current: int = Field(description="1 where there was a current answer.")
    replays: int = Field(description="Answers that were kept for requests sent again under their Idempotency-Key.")
    suppressed: bool = Field(description="Whether the customer was put on the suppression list.")


@router.get(
    "/{id:customer_id}/history", summary="All answers", responses=problems(400, 404), openapi_extra=needs(KeyScope.READ)
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
    "/{id:customer_id}/recommendations",
    summary="Advice for a customer",
    responses=problems(400, 404),
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
    "/{id:customer_id}/export",
    summary="All that is held of a customer",
    response_model=Export,
    responses=problems(400, 404),
    openapi_extra=needs(KeyScope.ADMIN),
)
def export(id: Id, request: Request) -> Response:
    """Everything the store holds about a customer, as one JSON document to keep. The audit log tells that it was given
    out."""
    service, known = service_of(request), _id(id)
    held, now = service.personal.holding(known), service.clock()
    if held.last is None and held.current is None and held.suppressed_at is None and not held.done:
        raise _unknown()
    service.personal.tell(known, caller_of(request.scope).who, now)
    head = Export(
        customer_id=known,
        exported_at=now,
        suppressed_at=held.suppressed_at,
        current=CurrentRow(**held.current) if held.current else None,
        audit=[AuditedAct(**act._asdict()) for act in held.done],
        answers=[],
    )
    answers = service.personal.answers(known, held.last) if held.last else iter(())
    named = {"content-disposition": 'attachment; filename="customer.json"'}
    return StreamingResponse(_document(head, answers), media_type="application/json", headers=named)


@router.delete(
    "/{id:customer_id}", summary="Erase a customer", responses=problems(400, 405), openapi_extra=needs(KeyScope.ADMIN)
)
def erase(id: Id, request: Request, suppress: bool = False) -> Erasure:
    """Erases all answers for a customer; with `suppress`, none is stored ever after.

    Sent again it does no harm: it says that there was nothing left.
    """
    service, known = service_of(request), _id(id)
    erased = service.personal.erase(known, caller_of(request.scope).who, service.clock(), suppress)
    service.caretaker.scrub()
    if suppress:
        service.suppressed.look()
    return Erasure(**erased._asdict(), suppressed=suppress)


@router.get(
    "/{id:customer_id}",
    summary="The newest answer",
    response_model=AnswerRecord,
    responses=problems(400, 404),
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


def _document(head: Export, answers: Iterator[Assignment]) -> Iterator[bytes]:
    """The export piece by piece: a history may be long."""
    yield head.model_dump_json().encode().removesuffix(b"]}")
    for number, row in enumerate(answers):
        offers = from_json(row.products) if row.products else None
        stored = StoredAnswer(**{**row._asdict(), "features": row.feature_values, "products": offers})
        yield (b"," if number else b"") + stored.model_dump_json().encode()
    yield b"]}"


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
