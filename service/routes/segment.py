"""POST /segment: assign one customer."""

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from service.answer import AnswerRecord
from service.assigning import answer_dry, answer_one
from service.key_scope import KeyScope, needs
from service.keyed_answer import answer_keyed
from service.routes.bytes_route import BytesRoute
from service.routes.dry_run import DRY_RUN, is_dry_run
from service.routes.idempotency_key import ANSWERED, IDEMPOTENCY_KEY, json_response, keyed_request, with_body
from service.routes.responses import problems
from service.state import service_of

JSON = "application/json"

router = APIRouter(tags=["assign"], route_class=BytesRoute)


@router.post(
    "/segment",
    summary="Assign one customer",
    response_model=AnswerRecord,
    responses={HTTPStatus.OK: ANSWERED, **problems(400, 409, 413, 415)},
    openapi_extra={"parameters": [DRY_RUN, IDEMPOTENCY_KEY], **needs(KeyScope.SCORE)},
)
async def segment(request: Request) -> Response:
    """Assigns one customer, by features or by transactions, and answers once the answer is stored."""
    check_is_json(request.headers.get("content-type", JSON))
    dry_run, keyed, service = is_dry_run(request), keyed_request(request), service_of(request)
    body = await request.body()
    if dry_run:
        return json_response(await answer_dry(body, service))
    if keyed is None:
        return json_response(await answer_one(body, service))
    once = service.idempotency.once
    return json_response(*await once(await with_body(keyed, body), lambda claim: answer_keyed(body, claim, service)))


def check_is_json(content_type: str) -> None:
    """Raises HTTPException, 415, for a body of another type."""
    if content_type == JSON:
        return
    kind = content_type.partition(";")[0].strip().lower()
    if kind != JSON:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body is {kind[:60]}; send JSON with: Content-Type: {JSON}"
        )
