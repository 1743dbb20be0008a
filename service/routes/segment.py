"""POST /segment and /segment/batch: assign customers."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from service.answer import AnswerRecord, BatchAnswer
from service.assigning import answer_one
from service.batch import answer_batch
from service.routes.responses import problems
from service.state import service_of

JSON = "application/json"


class BytesRoute(APIRoute):
    """A documented call whose handler takes the request as it is: the body is decoded once, straight from bytes,
    and the answer is encoded once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler


router = APIRouter(tags=["assign"], route_class=BytesRoute)


@router.post(
    "/segment",
    summary="Assign one customer",
    response_model=AnswerRecord,
    responses=problems(400, 413, 415, 422),
)
async def segment(request: Request) -> Response:
    """Assigns one customer, by features or by transactions, and answers once the answer is stored."""
    check_is_json(request.headers.get("content-type", JSON))
    return Response(await answer_one(await request.body(), service_of(request)), media_type=JSON)


@router.post(
    "/segment/batch",
    summary="Assign many customers",
    response_model=BatchAnswer,
    responses=problems(400, 413, 415, 422),
)
async def batch(request: Request) -> Response:
    """Assigns a list of customers; the results come in the order sent, and a bad item fails alone."""
    check_is_json(request.headers.get("content-type", JSON))
    return Response(await answer_batch(await request.body(), service_of(request)), media_type=JSON)


def check_is_json(content_type: str) -> None:
    """Raises HTTPException, 415, for a body of another type."""
    if content_type == JSON:
        return
    kind = content_type.partition(";")[0].strip().lower()
    if kind != JSON:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body is {kind[:60]}; send JSON with: Content-Type: {JSON}"
        )
