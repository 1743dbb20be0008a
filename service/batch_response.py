"""The answer to a batch: read, decided, stored and sent piece by piece."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from http import HTTPStatus
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.batch import Batch, Encoded, part_size
from service.errors import BatchInProgress, KeyReused, RequestInProgress
from service.forms.answers import Answers
from service.forms.csv_answers import CsvAnswers
from service.forms.csv_table import CsvReader
from service.forms.form import Form
from service.forms.json_answers import JsonAnswers, NdjsonAnswers
from service.forms.json_body import read_json
from service.forms.ndjson import NdjsonReader
from service.forms.reader import Chunk, Reader, parts_of
from service.idempotency import REPLAYED, REUSED, Answer, Claim, Idempotency, KeyedRequest
from service.intake import Intake
from service.keyed_batches import KeyedBatch
from service.served_model import ServedModel
from service.state import Service
from service.store.errors import StoreBusy, StoreUnavailable
from service.store.ulid import UlidFactory

# A client that takes nothing of its answers for so long is not going to; it holds memory and a model meanwhile.
PATIENCE = 120.0
logger = logging.getLogger("segmentation.batch")


def _arrow_answers(served: ServedModel) -> Answers:
    from service.forms.arrow_answers import ArrowAnswers  # what reads and writes Arrow is loaded when it is asked for

    return ArrowAnswers(served)


def _arrow_reader(served: ServedModel, size: int, most: int) -> Reader:
    from service.forms.arrow_stream import ArrowReader

    return ArrowReader(served, size, most)


ANSWERS: dict[Form, Callable[[ServedModel], Answers]] = {
    Form.JSON: JsonAnswers,
    Form.NDJSON: NdjsonAnswers,
    Form.CSV: CsvAnswers,
    Form.ARROW: _arrow_answers,
}
READERS: dict[Form, Callable[[ServedModel, int, int], Reader]] = {
    Form.NDJSON: NdjsonReader,
    Form.CSV: CsvReader,
    Form.ARROW: _arrow_reader,
}


class BatchOrder(NamedTuple):
    """How a batch comes, how it is to be answered, and whether it is stored; `key` is there if it has a key."""

    sent: Form
    wanted: Form
    dry_run: bool
    key: KeyedRequest | None


class BatchTurn:
    """A batch's turn under its Idempotency-Key. Of a stream it counts in all bytes, which at the end must be those that
    were answered before."""

    def __init__(self, idempotency: Idempotency, claim: Claim) -> None:
        self.claim = claim
        self._idempotency = idempotency
        self._digest = hashlib.sha256()

    def took(self, data: bytes) -> None:
        """A piece of a stream, or its end. Raises KeyReused where it ends otherwise than what was answered."""
        self._digest.update(data)
        known = self.claim.record.body_digest
        if not data and self.claim.answered and known not in (None, self._digest.hexdigest()):
            raise KeyReused(REUSED)

    async def end(self) -> None:
        """Everything is stored: from now on it is answered again."""
        if not self.claim.answered:
            answer = Answer(HTTPStatus.OK, None)  # thousands of answers: they are worked out again
            await self._idempotency.finish(self.claim, answer, self._digest.hexdigest())


class BatchResponse(Response):
    """Sends parts as they are stored. Until the first one is there, an error is the whole answer; later it is the last
    item, because the status was sent already."""

    def __init__(self, request: Request, service: Service, order: BatchOrder) -> None:
        self._request = request
        self._service = service
        self._order = order
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as stack:
            turn = await self._turn(stack)
            batch = await self._batch(turn)
            if not self._order.sent.streams and not self._order.wanted.streams:
                await self._send_whole(batch, turn, scope, receive, send)
                return
            intake = await stack.enter_async_context(Intake(self._request))
            parts = await stack.enter_async_context(aclosing(batch.encoded(self._chunks(batch.served, intake, turn))))
            await self._send(parts, batch.answers, intake, turn, send)

    async def _turn(self, stack: AsyncExitStack) -> BatchTurn | None:
        """The batch's turn under its key, to the end of the stack; None where it has no key, or stores nothing."""
        key, service = self._order.key, self._service
        if key is None or self._order.dry_run:
            return None
        if not self._order.sent.streams:
            key = await asyncio.to_thread(key.with_body, await self._request.body())
        # A factory of its own: no other ids go on from this one.
        first_id = UlidFactory().one(int(service.clock().timestamp() * 1000))
        claimed = service.idempotency.claimed(key, first_id, service.live.current().model.version)
        try:
            claim = await stack.enter_async_context(claimed)
        except RequestInProgress as error:
            raise BatchInProgress(str(error), error.retry_after) from error
        return BatchTurn(service.idempotency, claim)

    async def _batch(self, turn: BatchTurn | None) -> Batch:
        """By the model that it was begun with, where that is still there."""
        service, served, keyed = self._service, self._service.live.current(), None
        if turn is not None:
            keyed = KeyedBatch.of(turn.claim, service.reader)
            version = turn.claim.record.model_version or served.model.version
            begun = await asyncio.to_thread(service.live.earlier, version)
            served = served if begun is None else begun
        now = keyed.started_at if keyed else service.clock()
        return Batch(service, served, now, ANSWERS[self._order.wanted](served), self._order.dry_run, keyed)

    async def _chunks(self, served: ServedModel, intake: Intake, turn: BatchTurn | None) -> AsyncIterator[Chunk]:
        """The customers as they come. What breaks the reading is raised after all that was whole before it."""
        by_columns = self._order.sent is self._order.wanted is Form.ARROW
        size = part_size(self._service, by_columns)
        if not self._order.sent.streams:
            pieces = []
            while piece := await intake.take():
                pieces.append(piece)
            for items in parts_of(await asyncio.to_thread(read_json, b"".join(pieces), served), size):
                yield items
            return
        reader = READERS[self._order.sent](served, size, self._service.settings.max_body_bytes)
        ended = False
        while not ended:
            data = await intake.take()
            ended = not data
            if turn is not None:
                await asyncio.to_thread(turn.took, data)
            read = reader.end() if ended else reader.feed(data)
            while (chunk := await asyncio.to_thread(_next, read)) is not None:
                if isinstance(chunk, Exception):
                    raise chunk
                yield chunk

    async def _send_whole(
        self, batch: Batch, turn: BatchTurn | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """A JSON body's JSON answer, in one piece: the counts come first."""
        items = await asyncio.to_thread(read_json, await self._request.body(), batch.served)
        size = part_size(self._service)

        async def chunks() -> AsyncIterator[Chunk]:
            for chunk in parts_of(items, size):
                yield chunk

        parts = [part async for part in batch.encoded(chunks())]
        for part in parts:
            if part.last is not None:
                raise part.last
        assigned, failed = sum(part.assigned for part in parts), sum(part.failed for part in parts)
        if not assigned:
            _raise_if_unavailable(parts)
        opening = b'{"assigned":%d,"failed":%d,"results":[' % (assigned, failed)
        if turn is not None and not any(part.trouble for part in parts):
            await turn.end()
        bodies = [opening, *_with_commas([part.bodies for part in parts]), b"]}"]
        length = str(sum(map(len, bodies))).encode()
        headers = [(b"content-type", batch.answers.media_type.encode()), (b"content-length", length)]
        if turn is not None and turn.claim.answered:
            headers += [(name.lower().encode(), value.encode()) for name, value in REPLAYED.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for body in bodies:  # as they are: put together they would be copied, and are of tens of megabytes
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(
        self, parts: AsyncIterator[Encoded], answers: Answers, intake: Intake, turn: BatchTurn | None, send: Send
    ) -> None:
        first = await anext(parts, None)
        if first is not None and first.last is not None:
            raise first.last
        if first is not None and not first.assigned:
            _raise_if_unavailable([first])
        headers = [(b"content-type", answers.media_type.encode())]
        if turn is not None and turn.claim.answered:
            headers += [(name.lower().encode(), value.encode()) for name, value in REPLAYED.items()]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        assigned, failed, before, part, whole = 0, 0, answers.opening, first, True
        while part is not None:
            if isinstance(part.last, ClientDisconnect) or intake.gone:
                return
            before += answers.between if assigned + failed else b""
            assigned, failed = assigned + part.assigned, failed + part.failed
            whole = whole and part.trouble is None and part.last is None
            for body in part.bodies:
                if not await _taken(send, before + body):
                    return
                before = b""
            part = await anext(parts, None)
        if turn is not None and whole:
            await turn.end()
        end = before + answers.closing(assigned, failed)
        await send({"type": "http.response.body", "body": end, "more_body": False})


def _with_commas(parts: Sequence[Sequence[bytes]]) -> list[bytes]:
    return [piece for bodies in parts for piece in (b",", *bodies)][1:]


async def _taken(send: Send, body: bytes) -> bool:
    """Whether the client takes these bytes. It is left alone where it does not."""
    try:
        async with asyncio.timeout(PATIENCE):
            await send({"type": "http.response.body", "body": body, "more_body": True})
    except TimeoutError:
        logger.warning("a client took nothing of its answers for %g s and was left; it can resume", PATIENCE)
        return False
    return True


def _next(chunks: Iterator[Chunk]) -> Chunk | Exception | None:
    try:
        return next(chunks, None)
    except Exception as error:  # a value: it is raised where it belongs
        return error


def _raise_if_unavailable(parts: list[Encoded]) -> None:
    """Where nothing could be stored because of the database, that is the answer to the whole batch."""
    for part in parts:
        if isinstance(part.trouble, (StoreUnavailable, StoreBusy)):
            raise part.trouble
