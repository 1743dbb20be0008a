"""How a list of customers becomes stored answers: in parts, each stored while the next is worked out."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from service.assigned import Assigned, Case
from service.assigning import answer_json, assign_many, case_of
from service.errors import InvalidRequest
from service.problem import new_request_id, problem_of
from service.request import SegmentRequest
from service.served_model import ServedModel
from service.state import Service
from service.store.errors import RowRefused, StoreBusy, StoreError, StoreUnavailable

# A part is stored in one transaction. Between two, single requests have their turn.
PART = 2_000


async def answer_batch(body: bytes, service: Service) -> bytes:
    """A `BatchAnswer` as JSON, once everything in it is stored. Raises InvalidRequest where the body is no batch,
    and the store's errors where nothing of it could be stored."""
    served, now = service.live.current(), service.clock()
    # All that takes long is done off the event loop: single requests must not wait for ten thousand customers.
    items = await asyncio.to_thread(served.decode_batch, body)
    parts = []
    for start in range(0, len(items), PART):
        decided = await asyncio.to_thread(_decide, items[start : start + PART], served, service, now)
        stored = _submit(decided, service)
        parts.append(Part(start, decided, stored, await asyncio.to_thread(_encode, start, decided, served)))
    settled = [await _settled(part, served, service) for part in parts]
    if not any(one.assigned for one in settled):
        _raise_if_unavailable(parts)
    return _joined(settled, len(items))


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
