"""GET /segments…: the profiles, the advice and the audience of each segment."""

import base64
import binascii
import csv
import io
from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from models import holdout
from models.manifest import Manifest
from models.segment import ProductShare, Segment
from models.uplift import DetectableUplift
from service.answer import SegmentAdvice, SegmentName, StoredRecord
from service.answer_encoder import utc_text
from service.errors import Fault, InvalidRequest
from service.key_scope import KeyScope, needs
from service.routes.responses import problems
from service.routes.route import Route
from service.state import service_of

router = APIRouter(prefix="/segments", tags=["segments"], route_class=Route)
# Those calls that need no database are `async`: they need no thread either, which a database that hangs may all have.


class Proof(BaseModel):
    """Whether the segments tell what customers do later, and what speaks against relying on them."""

    beyond_chance: bool | None = Field(
        description="Whether segments of an earlier moment told later purchases beyond chance; null where history is "
        "too short to try."
    )
    says: list[str] = Field(description="What each try showed.")
    warnings: list[str] = Field(description="Where the data are thin, and failed checks that were accepted.")
    unproved: list[str] = Field(description="What could not be shown, and why.")

    @classmethod
    def of(cls, manifest: Manifest) -> "Proof":
        evidence = manifest.evidence
        return cls(
            beyond_chance=evidence.beyond_chance,
            says=[one.says for one in evidence.backtests],
            warnings=list(evidence.warnings),
            unproved=list(evidence.unproved),
        )


class Segments(BaseModel):
    """All segments of the active model, the most valuable per customer first, without transactions the largest."""

    model_version: str
    evidence: Proof
    segments: list[Segment]


class Holdout(BaseModel):
    """Who gets none of the advice: of all customers this share, told by the key and the customer's id alone."""

    share: float
    key: str


class SegmentRecommendation(BaseModel):
    """What to do about a segment, whether a test can show that it works, and the products its members buy more than
    others."""

    model_version: str
    segment: SegmentName
    recommendation: SegmentAdvice
    uplift: DetectableUplift | None
    holdout: Holdout
    products: list[ProductShare]


class Audience(BaseModel):
    """A page of the customers whose newest answer is this segment, in the order of their ids."""

    segment: SegmentName
    total: int = Field(description="Customers in the whole audience; of millions, a few seconds old.")
    customers: list[StoredRecord]
    next: str | None = Field(description="Send as `cursor` to get the next page; null on the last.")


@router.get("", summary="All segments", responses=problems(), openapi_extra=needs(KeyScope.READ))
async def segments(request: Request) -> Segments:
    """The profile of every segment of the active model, and what speaks for them."""
    model = service_of(request).live.current().model
    ranked = sorted(model.segments, key=lambda one: (one.profitability_rank or 0, -one.size))
    return Segments(model_version=model.version, evidence=Proof.of(model.manifest), segments=ranked)


@router.get("/{segment_id}", summary="One segment", responses=problems(400, 404), openapi_extra=needs(KeyScope.READ))
async def segment(segment_id: int, request: Request) -> Segment:
    """The profile of one segment."""
    return service_of(request).live.current().model.segment(segment_id)


@router.get(
    "/{segment_id}/recommendations",
    summary="Advice for a segment",
    responses=problems(400, 404),
    openapi_extra=needs(KeyScope.READ),
)
async def recommendations(segment_id: int, request: Request) -> SegmentRecommendation:
    """The playbook and the products of one segment, and what a test of the advice can show."""
    served = service_of(request).live.current()
    found = served.model.segment(segment_id)
    return SegmentRecommendation(
        model_version=served.model.version,
        segment=SegmentName(id=found.id, name=found.name),
        recommendation=SegmentAdvice.model_validate_json(served.advice.of_segment(served.index_of(segment_id))),
        uplift=found.uplift,
        holdout=Holdout(share=holdout.SHARE, key=holdout.KEY),
        products=list(found.products),
    )


@router.get(
    "/{segment_id}/customers",
    summary="The audience of a segment",
    response_model=Audience,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}, "application/x-ndjson": {}}},
        **problems(400, 404),
    },
    openapi_extra=needs(KeyScope.READ),
)
def customers(
    segment_id: int,
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=1500)] = None,
) -> Response:
    """The customers whose newest answer is this segment, page by page; as CSV or NDJSON by `Accept`.

    There the next page's address is in the `Link` header.
    """
    service = service_of(request)
    found = service.live.current().model.segment(segment_id)
    rows = service.reader.audience(segment_id, _decode(cursor), limit + 1)
    page = [StoredRecord.of(row) for row in rows[:limit]]
    following = _encode(page[-1].customer_id) if len(rows) > limit else None
    accept = request.headers.get("accept", "")
    link = _link(segment_id, {"limit": limit, "cursor": following}) if following else {}
    if "text/csv" in accept:
        return Response(_csv(page), media_type="text/csv; charset=utf-8", headers=link)
    if "application/x-ndjson" in accept:
        lines = "".join(f"{one.model_dump_json()}\n" for one in page)
        return Response(lines, media_type="application/x-ndjson", headers=link)
    audience = Audience(
        segment=SegmentName(id=found.id, name=found.name),
        total=service.reader.audience_size(segment_id),
        customers=page,
        next=following,
    )
    return Response(audience.model_dump_json(), media_type="application/json", headers=link)


def _link(segment_id: int, parameters: Mapping[str, object]) -> Mapping[str, str]:
    """Relative (RFC 8288), because the scheme and the host that a client uses are not known behind a proxy."""
    return {"link": f'</segments/{segment_id}/customers?{urlencode(parameters)}>; rel="next"'}


def _csv(page: Sequence[StoredRecord]) -> str:
    names = sorted({name for one in page for name in one.features})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["customer_id", "segment_id", "segment", "confidence", "as_of", "model_version", *names])
    for one in page:
        features = [one.features.get(name) for name in names]
        own = [one.customer_id, one.segment.id, one.segment.name, one.confidence, utc_text(one.as_of)]
        writer.writerow([*own, one.model_version, *features])
    return text.getvalue()


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _decode(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise InvalidRequest([Fault("cursor", "is not one this service gave; start again without it")]) from error
