"""POST /segment and /segment/batch: assign customers."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from service.answer import AnswerRecord, BatchAnswer
from service.assigning import Assigned, Case, answer_body, assign, assign_many, case_of
from service.errors import InvalidRequest
from service.problem import new_request_id, problem_of
from service.request import SegmentRequest
from service.routes.responses import problems
from service.served_model import ServedModel
from service.state import Service, service_of
from service.store.errors import RowRefused

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
    service = service_of(request)
    body = await _json_body(request)
    served, now = service.live.current(), service.clock()
    assigned = assign(case_of(served.decode(body), served, now), served, service.ids, now)
    stored = service.writer.submit([assigned.row])
    worded = answer_body(assigned, served)
    await stored
    return Response(worded, media_type=JSON)


@router.post(
    "/segment/batch",
    summary="Assign many customers",
    response_model=BatchAnswer,
    responses=problems(400, 413, 415, 422),
)
async def batch(request: Request) -> Response:
    """Assigns a list of customers; the results come in the order sent, and a bad item fails alone."""
    service = service_of(request)
    body = await _json_body(request)
    # off the event loop: ten thousand customers take a while, and single requests must not wait for them
    served = service.live.current()
    decided = await asyncio.to_thread(_decide, body, served, service, service.clock())
    stored = service.writer.submit([one.row for one in decided if isinstance(one, Assigned)])
    worded = await asyncio.to_thread(_encode_batch, decided, served)
    try:
        await stored
    except RowRefused:
        worded = await asyncio.to_thread(_encode_batch, await _one_by_one(decided, service), served)
    return Response(worded, media_type=JSON)


def _decide(body: bytes, served: ServedModel, service: Service, now: datetime) -> list[Assigned | Exception]:
    """Each item's answer, not stored yet, or what is wrong with it."""
    cases = [_case(item, served, now) for item in served.decode_batch(body)]
    good = [case for case in cases if isinstance(case, Case)]
    answers = iter(assign_many(good, served, service.ids, now))
    return [next(answers) if isinstance(case, Case) else case for case in cases]


def _case(item: SegmentRequest | InvalidRequest, served: ServedModel, now: datetime) -> Case | InvalidRequest:
    if isinstance(item, InvalidRequest):
        return item
    try:
        return case_of(item, served, now)
    except InvalidRequest as error:
        return error


async def _one_by_one(decided: Sequence[Assigned | Exception], service: Service) -> list[Assigned | Exception]:
    """The database refused some row of the batch: store each alone, so that only that one fails."""

    async def store(one: Assigned | Exception) -> Assigned | Exception:
        if isinstance(one, Assigned):
            try:
                await service.writer.commit([one.row])
            except RowRefused as error:
                return error
        return one

    return await asyncio.gather(*(store(one) for one in decided))


def _encode_batch(decided: Sequence[Assigned | Exception], served: ServedModel) -> bytes:
    """A `BatchAnswer`, joined from the answers' bytes."""
    assigned = sum(isinstance(one, Assigned) for one in decided)
    results = b",".join([_item(index, one, served) for index, one in enumerate(decided)])
    return b'{"assigned":%d,"failed":%d,"results":[%b]}' % (assigned, len(decided) - assigned, results)


def _item(index: int, one: Assigned | Exception, served: ServedModel) -> bytes:
    if isinstance(one, Assigned):
        return b'{"index":%d,"answer":%b}' % (index, answer_body(one, served))
    problem = problem_of(one, new_request_id()).model_dump_json(exclude_none=True).encode()
    return b'{"index":%d,"problem":%b}' % (index, problem)


async def _json_body(request: Request) -> bytes:
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body is {kind[:60]}; send JSON with: Content-Type: {JSON}"
        )
    return await request.body()
