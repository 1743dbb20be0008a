"""How the customers of a batch become stored answers: in parts, each stored while the next is worked out."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from starlette.requests import ClientDisconnect

from models.errors import UnknownVersion
from models.rounding import rounded
from service.assigned import Assigned, Case
from service.assigning import assign_many, case_of, remembered
from service.decided import Decided, DecidedColumns, DecidedItems, Remembered
from service.errors import InvalidRequest, KeyReused
from service.forms.answers import Answers
from service.forms.checked_columns import CheckedColumns, checked
from service.forms.reader import Chunk, Item
from service.forms.sent_columns import SentColumns
from service.idempotency import REUSED
from service.keyed_batches import KeyedBatch
from service.served_model import ServedModel
from service.state import Service
from service.store.assignment import Assignment
from service.store.errors import RowRefused, StoreBusy, StoreError
from service.store.ulid import GivenIds, UlidFactory
from service.store.writer import BATCH

# A part is stored in one transaction. Between two, single requests have their turn.
PART = 2_000
PART_BY_COLUMNS = 8_192  # arrays, and answers of a tenth of the size
# Parts that are worked out, or being stored, or waiting to be sent.
UNDER_WAY = 2
BUSY_TRIES = 60


class Encoded(NamedTuple):
    """A part as it is answered: how many items have an answer and how many a problem, and the bytes in pieces.

    `trouble` is why nothing of it could be stored; `last` is the problem after which nothing follows.
    """

    assigned: int
    failed: int
    bodies: Sequence[bytes]
    trouble: StoreError | None = None
    last: Exception | None = None


class Part(NamedTuple):
    """Some items of a batch, being stored in one transaction: their place, what was decided, and that encoded."""

    start: int
    decided: Decided
    stored: asyncio.Future[None]
    encoded: Encoded


@dataclass(frozen=True, slots=True)
class Batch:
    """What all parts of one batch have in common. `now` is its moment; `keyed` is there where it may be sent again."""

    service: Service
    served: ServedModel
    now: datetime
    answers: Answers
    dry_run: bool
    keyed: KeyedBatch | None

    async def encoded(self, chunks: AsyncIterator[Chunk]) -> AsyncGenerator[Encoded]:
        """The parts in order, each once what it says is stored. While one is taken, the next ones are under way; not
        more of them, so that whoever takes them slowly holds up the reading of the batch."""
        under_way: asyncio.Queue[Part | Encoded | None] = asyncio.Queue(UNDER_WAY)
        working = asyncio.create_task(self._work(chunks, under_way))
        customers = 0
        try:
            while (part := await under_way.get()) is not None:
                encoded = part if isinstance(part, Encoded) else await self._settled(part)
                customers += encoded.assigned + encoded.failed if encoded.last is None else 0
                yield encoded
        finally:
            self.service.recorder.batch(customers)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def _work(self, chunks: AsyncIterator[Chunk], under_way: asyncio.Queue[Part | Encoded | None]) -> None:
        start = 0
        try:
            async for chunk in chunks:
                # All that takes long is done off the event loop: single requests must not wait for thousands.
                decided = await asyncio.to_thread(self._decide, start, chunk)
                stored = await self._submit(decided.rows)
                await under_way.put(Part(start, decided, stored, await asyncio.to_thread(self._encode, start, decided)))
                start += len(chunk)
        except ClientDisconnect as error:
            await under_way.put(Encoded(0, 0, [], last=error))
        except Exception as error:  # told to whoever takes the parts, after those that were whole
            told = await asyncio.to_thread(self.answers.part, start, DecidedItems(self.served, [error], []))
            await under_way.put(Encoded(0, 1, told, last=error))
        await under_way.put(None)

    def _decide(self, start: int, chunk: Chunk) -> Decided:
        """Each item's segment, not stored yet, or what is wrong with the item."""
        if not isinstance(chunk, SentColumns):
            return self._items(start, [self._case(item) for item in chunk])
        customers = checked(chunk, self.served, self.now, self.service.suppressed.among)
        by_columns = self._columns(start, customers)
        return self._items(start, customers.cases()) if by_columns is None else by_columns

    def _case(self, item: Item) -> Case | Exception:
        if isinstance(item, Exception):
            return item
        try:
            return case_of(item, self.served, self.now)
        except InvalidRequest as error:
            return error.with_traceback(None)  # which would keep what was sent

    def _items(self, start: int, found: Sequence[Case | Exception]) -> DecidedItems:
        cases = self.service.suppressed.admit_many(found)
        good = [index for index, case in enumerate(cases) if not isinstance(case, Exception)]
        every = self.keyed.ids(start, len(cases)) if self.keyed else []
        stored = self.keyed.stored(every) if self.keyed else {}
        ids = self._ids(len(good), [every[index] for index in good] if self.keyed else None)
        assigned = iter(
            assign_many([case for case in cases if not isinstance(case, Exception)], self.served, ids, self.now)
        )
        decided: list[Assigned | Remembered | Exception] = [
            case if isinstance(case, Exception) else next(assigned) for case in cases
        ]
        if self.keyed:
            self.keyed.name((start + index, one) for index, one in enumerate(decided) if isinstance(one, Exception))
        if self.keyed and self.keyed.again:
            decided = [self._as_stored(one, stored.get(place)) for one, place in zip(decided, every, strict=True)]
        rows = [] if self.dry_run else [one.row for one in decided if isinstance(one, Assigned)]
        return DecidedItems(self.served, decided, rows)

    def _ids(self, count: int, chosen: list[str] | None) -> UlidFactory:
        if self.dry_run:
            return GivenIds([""] * count)
        return self.service.ids if chosen is None else GivenIds(chosen)

    def _as_stored(
        self, one: Assigned | Remembered | Exception, stored: Assignment | None
    ) -> Assigned | Remembered | Exception:
        """The answer that was stored for an item when the batch was sent before. Raises KeyReused."""
        if stored is None:
            if self.keyed and self.keyed.answered and isinstance(one, Assigned):
                raise KeyReused(REUSED)
            return one
        if isinstance(one, Assigned) and one.row == stored:
            return Remembered(one, self.served)
        served = self.service.live.earlier(stored.model_version)
        if served is None:
            return UnknownVersion(
                f"this was answered by the model {stored.model_version}, which is not published any more; "
                "the customer's history has what is stored"
            )
        if not isinstance(one, Assigned) or not _same_request(one.row, stored):
            raise KeyReused(REUSED)
        again = remembered(stored, served)
        again.case = again.case._replace(ignored=one.case.ignored)
        return Remembered(again, served)

    def _columns(self, start: int, customers: CheckedColumns) -> DecidedColumns | None:
        """The same by columns; None where some of the items are stored and some are not, or not as they are here."""
        served, count = self.served, len(customers)
        placed = served.model.scorer.place_many(customers.values)
        confidence = rounded(placed.confidence, 4).tolist()
        ids = None if self.dry_run else self.keyed.ids(start, count) if self.keyed else self._new_ids(count)
        rows = customers.rows(ids, placed, confidence, served, self.now) if ids else []
        if self.keyed and ids:
            self.keyed.name((start + index, error) for index, error in customers.wrong.items())
            stored = self.keyed.stored(ids)
            if stored or self.keyed.answered:
                if stored != {row.id: row for row in rows}:
                    return None
                rows = []
        return DecidedColumns(served, customers, placed, confidence, ids, rows, dict(customers.wrong))

    def _new_ids(self, count: int) -> list[str]:
        return self.service.ids.many(count, int(self.now.timestamp() * 1000))

    async def _submit(self, rows: Sequence[Assignment]) -> asyncio.Future[None]:
        """Hand the rows to the writer; that it takes none is told by the future too. Where others fill its queue, a
        batch waits for its turn."""
        tries = BUSY_TRIES
        while True:
            try:
                stored = self.service.writer.submit(rows, BATCH)
                break
            except StoreBusy as error:
                tries -= 1
                if not tries:
                    stored = _failed(error)
                    break
                await asyncio.sleep(error.retry_after / 4)
            except StoreError as error:
                stored = _failed(error)
                break
        stored.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, should nobody wait for it
        return stored

    async def _settled(self, part: Part) -> Encoded:
        """The part once it is known what was stored: an item that was not says so instead of an answer."""
        trouble: StoreError | None = None
        try:
            await part.stored
        except RowRefused:
            alone = await asyncio.gather(*(self._alone(row) for row in part.decided.rows))
            errors: Mapping[int, Exception] = {row: error for row, error in enumerate(alone) if error is not None}
            trouble = next((error for error in alone if error is not None), None)
        except StoreError as error:
            trouble, errors = error, dict.fromkeys(range(len(part.decided.rows)), error)
        else:
            return part.encoded
        encoded = await asyncio.to_thread(self._encode, part.start, part.decided.but(errors))
        return encoded._replace(trouble=trouble)

    async def _alone(self, row: Assignment) -> StoreError | None:
        """The database refused some row of the part: each is stored by itself, so that only that one fails."""
        try:
            await self.service.writer.commit([row], BATCH)
        except StoreError as error:
            return error
        return None

    def _encode(self, start: int, decided: Decided) -> Encoded:
        failed = decided.failed
        return Encoded(decided.size - failed, failed, self.answers.part(start, decided))


def part_size(service: Service, by_columns: bool = False) -> int:
    """Customers in a part; where the writer's queue is short, few enough that the parts under way fit in it."""
    return max(1, min(PART_BY_COLUMNS if by_columns else PART, service.settings.queue_rows // (UNDER_WAY + 2)))


def _same_request(row: Assignment, stored: Assignment) -> bool:
    """Whether two rows are of one customer at one moment with the same features, whatever was decided."""
    same = (row.customer_id, row.as_of) == (stored.customer_id, stored.as_of)
    return same and row.feature_values == stored.feature_values


def _failed(error: StoreError) -> asyncio.Future[None]:
    refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    refused.set_exception(error)
    return refused
