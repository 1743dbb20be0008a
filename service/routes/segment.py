"""POST /segment and /segment/batch: assign customers."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import APIRouter, HTTPException, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from service.answer import AnswerRecord, BatchAnswer
from service.assigning import Assigned, Case, answer_json, assign, assign_many, case_of
from service.errors import InvalidRequest
from service.problem import new_request_id, problem_of
from service.request import SegmentRequest
from service.routes.responses import problems
from service.served_model import ServedModel
from service.state import Service, service_of
from service.store.errors import RowRefused, StoreBusy, StoreError, StoreUnavailable

JSON = "application/json"
# A batch is stored in transactions of this many: while one is written the next is worked out, and single requests
# come in between.
PART = 2_000


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
    worded = answer_json(assigned, served)
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
    served, now = service.live.current(), service.clock()
    # All that takes long is done off the event loop: single requests must not wait for ten thousand customers.
    items = await asyncio.to_thread(served.decode_batch, body)
    parts = []
    for start in range(0, len(items), PART):
        decided = await asyncio.to_thread(_decide, items[start : start + PART], served, service, now)
        stored = _submit(decided, service)
        parts.append(Part(start, decided, stored, await asyncio.to_thread(_encode, start, decided, served)))
    settled = [await _settled(part, served, service) for part in parts]
    if parts and not any(one.assigned for one in settled):
        _raise_if_unavailable(parts)
    return Response(_joined(settled, len(items)), media_type=JSON)


class Encoded(NamedTuple):
    """Some items of a batch as JSON, each a `BatchItem`, with commas between, and how many of them have an answer."""

    assigned: int
    items: bytes


class Part(NamedTuple):
    """Some items of a batch, being stored in one transaction: their place, what was decided, and that encoded."""

    start: int
    decided: Sequence[Assigned | Exception]
    stored: asyncio.Future[None]
    encoded: Encoded


def _decide(
    items: Sequence[SegmentRequest | InvalidRequest], served: ServedModel, service: Service, now: datetime
) -> list[Assigned | Exception]:
    """Each item's segment, not stored yet, or what is wrong with the item."""
    cases = [_case(item, served, now) for item in items]
    good = [case for case in cases if isinstance(case, Case)]
    assigned = iter(assign_many(good, served, service.ids, now))
    return [next(assigned) if isinstance(case, Case) else case for case in cases]


def _case(item: SegmentRequest | InvalidRequest, served: ServedModel, now: datetime) -> Case | InvalidRequest:
    if isinstance(item, InvalidRequest):
        return item
    try:
        return case_of(item, served, now)
    except InvalidRequest as error:
        return error


def _submit(decided: Sequence[Assigned | Exception], service: Service) -> asyncio.Future[None]:
    """Hand the rows to the writer; that it takes none is told by the future too."""
    try:
        return service.writer.submit([one.row for one in decided if isinstance(one, Assigned)])
    except StoreError as error:
        refused = asyncio.get_running_loop().create_future()
        refused.set_exception(error)
        return refused


async def _settled(part: Part, served: ServedModel, service: Service) -> Encoded:
    """The part's results once it is known what was stored: an item that was not says so instead of an answer."""
    try:
        await part.stored
    except RowRefused:
        outcome = await asyncio.gather(*(_alone(one, service) for one in part.decided))
    except StoreError as error:
        outcome = [error if isinstance(one, Assigned) else one for one in part.decided]
    else:
        return part.encoded
    return await asyncio.to_thread(_encode, part.start, outcome, served)


def _raise_if_unavailable(parts: Sequence[Part]) -> None:
    """Where nothing could be stored because of the database, that is the answer to the whole batch."""
    for part in parts:
        error = part.stored.exception()
        if isinstance(error, (StoreUnavailable, StoreBusy)):
            raise error


async def _alone(one: Assigned | Exception, service: Service) -> Assigned | Exception:
    """The database refused some row of the part: each is stored by itself, so that only that one fails."""
    if isinstance(one, Assigned):
        try:
            await service.writer.commit([one.row])
        except StoreError as error:
            return error
    return one


def _encode(start: int, decided: Sequence[Assigned | Exception], served: ServedModel) -> Encoded:
    assigned = sum(isinstance(one, Assigned) for one in decided)
    items = [_item(index, one, served) for index, one in enumerate(decided, start)]
    return Encoded(assigned, ",".join(items).encode())


def _item(index: int, one: Assigned | Exception, served: ServedModel) -> str:
    if isinstance(one, Assigned):
        return f'{{"index":{index},"answer":{answer_json(one, served)}}}'
    problem = problem_of(one, new_request_id()).model_dump_json(exclude_none=True)
    return f'{{"index":{index},"problem":{problem}}}'


def _joined(parts: Sequence[Encoded], count: int) -> bytes:
    """A `BatchAnswer` of so many items, put together in one go: it may be many megabytes."""
    assigned = sum(part.assigned for part in parts)
    pieces = [b'{"assigned":%d,"failed":%d,"results":[' % (assigned, count - assigned)]
    for part in parts:
        pieces += [part.items, b","]
    return b"".join([*(pieces[:-1] if parts else pieces), b"]}"])


async def _json_body(request: Request) -> bytes:
    kind = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind != JSON:
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body is {kind[:60]}; send JSON with: Content-Type: {JSON}"
        )
    return await request.body()
