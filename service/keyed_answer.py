"""The answer to one customer's request under an `Idempotency-Key`: stored once, whatever interrupts it."""

import asyncio

from service.answer import AnswerRecord
from service.assigning import answer_json, assign, decode_case, recall
from service.errors import InvalidRequest
from service.idempotency import Answer, Claim
from service.served_model import ServedModel
from service.state import Service
from service.store.assignment import Assignment
from service.store.errors import RowRefused
from service.store.ulid import GivenIds

OK = 200


async def answer_keyed(body: bytes, claim: Claim, service: Service) -> Answer:
    """The answer as JSON, once it is stored under the claim's id. Where it was stored before and nobody was told, it is
    that one, worked out again. Raises InvalidRequest, CustomerSuppressed and the store's errors.
    """
    stored = await _stored(claim, service) if claim.again else None
    return await (_first(body, claim, service) if stored is None else _again(body, stored, service))


async def _first(body: bytes, claim: Claim, service: Service) -> Answer:
    served, record = service.live.current(), claim.record
    case = service.suppressed.admit(await decode_case(body, served, record.started_at))
    assigned = assign(case, served, GivenIds([record.first_id]), record.started_at)
    try:
        await service.writer.commit([assigned.row])
    except RowRefused:
        stored = await _stored(claim, service)  # by a process that had lost the claim and did not know
        if stored is None:
            raise
        return await _again(body, stored, service)
    return Answer(OK, answer_json(assigned, served).encode(), case.customer_id)


async def _stored(claim: Claim, service: Service) -> Assignment | None:
    return await asyncio.to_thread(service.reader.find, claim.record.first_id)


async def _again(body: bytes, stored: Assignment, service: Service) -> Answer:
    service.suppressed.check(stored.customer_id)
    served = await asyncio.to_thread(service.live.earlier, stored.model_version)
    worded = (
        AnswerRecord.bare(stored).model_dump_json() if served is None else await _worded(body, stored, served, service)
    )
    return Answer(OK, worded.encode(), stored.customer_id)


async def _worded(body: bytes, stored: Assignment, served: ServedModel, service: Service) -> str:
    """From the body, which also says what was left out of transactions; else from what is stored."""
    try:
        case = service.suppressed.admit(await decode_case(body, served, stored.assigned_at))
    except InvalidRequest:
        return recall(stored, served)
    assigned = assign(case, served, GivenIds([stored.id]), stored.assigned_at)
    return answer_json(assigned, served) if assigned.row == stored else recall(stored, served)
