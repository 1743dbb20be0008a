"""Requests under an `Idempotency-Key`: done once, however often they are sent, and answered the same."""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from pydantic_core import to_json

from models.errors import ModelError
from service.errors import CustomerSuppressed, InvalidRequest, KeyReused, NotReady, RequestInProgress
from service.store.errors import RowRefused, StoreError, StoreUnavailable
from service.store.idempotency import IdempotencyKeys, KeyRecord, digest_of_customer
from service.store.ulid import UlidFactory

# How long a key stays with a process that was killed; whoever lives renews it well before.
LEASE = timedelta(seconds=6)
RENEWED_EVERY = LEASE / 3
RETRY_AFTER = 1.0
PATIENCE = 10.0  # seconds for one change of a record
# After these nothing was stored.
NOTHING_STORED = (InvalidRequest, CustomerSuppressed, NotReady, ModelError, RowRefused)

REPLAYED = {"Idempotency-Replayed": "true"}  # the header of an answer that was given before
RUNNING = "a request with this Idempotency-Key is being answered; send it again in a moment"
REUSED = "this Idempotency-Key came with another body before; send that body again, or this one with a key of its own"
T = TypeVar("T")
logger = logging.getLogger("segmentation.idempotency")


class KeyedRequest(NamedTuple):
    """Whose key it is and what it was sent to, in one digest; and the body's digest, None where it is a stream's."""

    digest: str
    body_digest: str | None = None

    @classmethod
    def of(cls, caller: str, method: str, path: str, query: bytes, key: str) -> "KeyedRequest":
        named = to_json([caller, method, path, query.decode("latin-1"), key])
        return cls(hashlib.sha256(named).hexdigest())

    def with_body(self, body: bytes) -> "KeyedRequest":
        return self._replace(body_digest=hashlib.sha256(body).hexdigest())


class Answer(NamedTuple):
    """What is answered: `body` None where it is worked out again each time. `customer_id` is whom it is about."""

    status: int
    body: bytes | None
    customer_id: str | None = None


@dataclass(slots=True)
class Claim:
    """The right to do what a key stands for. `again`: it was begun before, so that something may be stored already;
    `answered`: it was done, and its answer is to be given again."""

    record: KeyRecord
    again: bool
    ended: bool = False

    @property
    def answered(self) -> bool:
        return self.record.status is not None


class Idempotency:
    """Hands out each key to one request at a time, of all processes."""

    def __init__(self, keys: IdempotencyKeys, ids: UlidFactory, clock: Callable[[], datetime]) -> None:
        self._keys = keys
        self._ids = ids
        self._clock = clock

    async def once(self, request: KeyedRequest, work: Callable[[Claim], Awaitable[Answer]]) -> tuple[bytes, bool]:
        """The answer to the request, and whether it was given before; only where it was not, the work is done.

        Raises what the work raises, KeyReused, RequestInProgress and StoreUnavailable.
        """
        first_id = self._ids.one(int(self._clock().timestamp() * 1000))
        async with self.claimed(request, first_id) as claim:
            if claim.answered:
                return claim.record.answer or b"", True
            answer = await work(claim)
            await self.finish(claim, answer)
            return answer.body or b"", False

    @asynccontextmanager
    async def claimed(
        self, request: KeyedRequest, first_id: str, model_version: str | None = None
    ) -> AsyncIterator[Claim]:
        """Keeps the key for one request. Begun now, it is begun with this id and this model.

        Where it ends without `finish`, whoever asks next goes on with it; where nothing was stored, the key is free.
        Raises KeyReused, RequestInProgress, StoreUnavailable.
        """
        claim = await self._claim(request, first_id, model_version)
        if claim.answered:
            yield claim
            return
        renewing = asyncio.create_task(self._renew(claim.record))
        freed = False
        try:
            yield claim
        except NOTHING_STORED:
            freed = not claim.again
            raise
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            if not claim.ended:
                await self._told(self._keys.forget if freed else self._keys.let_go, claim.record)

    async def finish(self, claim: Claim, answer: Answer, body_digest: str | None = None) -> None:
        """Keeps the answer: from now on it is given again. `body_digest` is that of a stream, known at its end."""
        customer = None if answer.customer_id is None else digest_of_customer(answer.customer_id)
        record = claim.record._replace(status=answer.status, answer=answer.body, customer_digest=customer)
        claim.ended = True
        await self._told(self._keys.finish, record._replace(body_digest=record.body_digest or body_digest))

    async def _claim(self, request: KeyedRequest, first_id: str, model_version: str | None) -> Claim:
        now, holder = self._clock(), secrets.token_hex(16)
        wanted = KeyRecord(*request, first_id, model_version, now, holder, now + LEASE)
        found = await _in_time(self._keys.claim, wanted, now)
        if None not in (found.body_digest, request.body_digest) and found.body_digest != request.body_digest:
            raise KeyReused(REUSED)
        if found.status is None and found.claim != holder:
            raise RequestInProgress(RUNNING, RETRY_AFTER)
        return Claim(found, again=found.first_id != first_id)

    async def _renew(self, record: KeyRecord) -> None:
        while True:
            await asyncio.sleep(RENEWED_EVERY.total_seconds())
            await self._told(self._keys.renew, record, self._clock() + LEASE)

    async def _told(self, change: Callable[..., None], *about: object) -> None:
        """A change without which the request is still right: the claim ends by itself, and what was stored is found."""
        try:
            await _in_time(change, *about)
        except StoreError as error:
            logger.warning("an Idempotency-Key's record could not be changed: %s", error.report)


async def _in_time(change: Callable[..., T], *about: object) -> T:
    """What blocks, off the event loop. A claim that comes later than this has ended by then."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await asyncio.to_thread(change, *about)
    except TimeoutError as error:
        said = f"The database has not answered for {PATIENCE:g} s; send the request again with the same key."
        raise StoreUnavailable(said, RETRY_AFTER) from error
