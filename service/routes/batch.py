"""POST /segment/batch: assign many customers."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.answer import BatchAnswer
from service.batch_response import BatchOrder, BatchResponse
from service.forms.form import Form
from service.key_scope import KeyScope, needs
from service.negotiation import answer_form, sent_form
from service.routes.bytes_route import BytesRoute
from service.routes.dry_run import DRY_RUN, is_dry_run
from service.routes.idempotency_key import ANSWERED, IDEMPOTENCY_KEY, keyed_request
from service.routes.responses import problems
from service.state import service_of

STREAMED: dict[str, Any] = {
    Form.NDJSON: {"schema": {"type": "string", "description": "A `BatchItem` a line."}},
    Form.CSV: {"schema": {"type": "string", "description": "A row per item."}},
    Form.ARROW: {"schema": {"type": "string", "format": "binary", "description": "The columns of the CSV, typed."}},
}

router = APIRouter(tags=["assign"], route_class=BytesRoute)


@router.post(
    "/segment/batch",
    summary="Assign many customers",
    response_model=BatchAnswer,
    responses={HTTPStatus.OK: {**ANSWERED, "content": STREAMED}, **problems(400, 406, 409, 413, 415)},
    openapi_extra={"parameters": [DRY_RUN, IDEMPOTENCY_KEY], **needs(KeyScope.SCORE)},
)
async def batch(request: Request) -> Response:
    """Assigns any number of customers; the answers come in the order sent, and a bad customer fails alone.

    NDJSON, CSV and Arrow are read, stored and answered piece by piece, whatever their length.
    """
    sent = sent_form(request.headers.get("content-type"))
    wanted = answer_form(",".join(request.headers.getlist("accept")), sent)
    order = BatchOrder(sent, wanted, is_dry_run(request), keyed_request(request))
    return BatchResponse(request, service_of(request), order)
