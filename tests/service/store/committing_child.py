"""A process that commits rows until it is killed, printing each row after its commit.

Run as `python -m tests.service.store.committing_child URL`. Each line is a JSON list of the rows of
one acknowledged submission, as `written` made them.
"""

import asyncio
import json
import random
import sys
from datetime import timedelta

from service.store.assignment import Assignment
from service.store.database import ledger_spec, open_engine
from service.store.utc_time import utc_text
from service.store.writer import GroupCommit
from tests.service.store.records import NOON, assignment

WAITERS = 16
# One by one, small groups, and more rows than one PostgreSQL statement is used for.
SIZES = [1, 1, 1, 7, 600]


def written(row: Assignment) -> list[object]:
    return [row.id, row.customer_id, utc_text(row.as_of), utc_text(row.assigned_at), *row[4:]]


def made() -> list[Assignment]:
    return [
        assignment(
            str(random.randrange(500)),
            as_of=NOON + timedelta(microseconds=random.randrange(10**12)),
            confidence=random.random(),
            segment_id=random.randrange(6),
            features=json.dumps({"monetary": random.random(), "country": "Åland \\ \"'\n"}),
        )
        for _ in range(random.choice(SIZES))
    ]


async def commit_for_ever(writer: GroupCommit) -> None:
    while True:
        rows = made()
        await writer.commit(rows)
        sys.stdout.write(json.dumps([written(row) for row in rows]) + "\n")
        sys.stdout.flush()


async def main(url: str) -> None:
    writer = GroupCommit(ledger_spec(open_engine(url)))
    writer.start()
    await asyncio.gather(*[commit_for_ever(writer) for _ in range(WAITERS)])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
