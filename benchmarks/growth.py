"""`python -m benchmarks.growth [--rows 10000000] [--database postgresql] [--out FOLDER]`: is a full store as quick?

Fills the history by the store's own writer, and at several sizes measures further writes and the pages read over HTTP.
"""

import argparse
import asyncio
import base64
import http.client
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import bodies, load
from benchmarks.databases import KINDS, database
from benchmarks.demo import train
from benchmarks.growth_picture import draw
from benchmarks.growth_size import Size
from benchmarks.service import Service
from service.store.assignment import Assignment
from service.store.database import ledger_spec, open_engine
from service.store.ulid import UlidFactory
from service.store.writer import GroupCommit

GROUP = 10_000
AT_ONCE = 4  # groups that wait while one is written
ANSWERS_PER_CUSTOMER = 20
FIRST_MOMENT = datetime(2012, 1, 1, tzinfo=UTC)
PAGES = 70
WARMING = 10
MOST_PAGE_MS = 20.0
LEAST_RATIO = 0.7
SEGMENTS = 6
HEADING = "{}: rows, filled/s, single answers/s (x first), p95 of audience and history page in ms\n"


def main(arguments: Sequence[str]) -> int:
    """Fill, measure and print; 1 where pages are slow or further rows cost more."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=4, help="sizes to measure at, the empty store aside")
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write growth-DATABASE.json and growth.svg there")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        sizes: list[Size] = []
        sys.stdout.write(HEADING.format(given.database))
        for size in _grow(given, Path(folder)):
            sizes.append(size)
            _print(size, sizes[0])
    if given.out is not None:
        _write(given.out, given.database, sizes)
    slow = any(max(size.audience_ms, size.history_ms) > MOST_PAGE_MS for size in sizes)
    return int(slow or sizes[-1].singles_per_second < LEAST_RATIO * sizes[0].singles_per_second)


def _grow(given: argparse.Namespace, folder: Path) -> Iterator[Size]:
    version = train(folder / "models")
    with database(given.database, folder) as url:
        environment = {
            "SEGMENTATION_MODELS_DIR": str(folder / "models"),
            "SEGMENTATION_DATABASE_URL": url,
            "SEGMENTATION_PORT": "{port}",
        }
        filling = Filling(url, version, given.rows // ANSWERS_PER_CUSTOMER)
        for step in range(given.steps + 1):
            per_second = filling.up_to(max(given.rows * step // given.steps, GROUP))
            with Service("growth", environment, folder) as server:
                yield _measured(server.port, filling, per_second)


def _measured(port: int, filling: "Filling", per_second: float) -> Size:
    requests = [load.request("/segment", body, port) for body in bodies.encoded(bodies.customers(1_000))]
    singles = load.run(port, requests, 16, 3.0)
    starts = [row.customer_id for row in random.Random(0).sample(filling.newest, PAGES)]
    cursors = [base64.urlsafe_b64encode(one.encode()).decode().rstrip("=") for one in starts]
    audience = [f"/segments/{1 + at % SEGMENTS}/customers?limit=100&cursor={one}" for at, one in enumerate(cursors)]
    return Size(
        filling.rows,
        per_second,
        singles.per_second,
        _milliseconds(port, audience),
        _milliseconds(port, [f"/customers/{one}/history?limit=100" for one in starts]),
    )


def _milliseconds(port: int, paths: Sequence[str]) -> float:
    """The 95th percentile of the pages' times; the first few are not counted."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    taken = []
    for path in paths:
        started = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        taken.append((time.perf_counter() - started) * 1e3)
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered {answer.status}: {body[:300].decode()}")
    connection.close()
    return statistics.quantiles(taken[WARMING:], n=20)[-1]


class Filling:
    """Rows written by the store's own writer: customers in no order, each again and again as time goes on."""

    def __init__(self, url: str, version: str, customers: int) -> None:
        self.rows = 0
        self.newest: list[Assignment] = []
        self._customers = customers
        self._url, self._version = url, version
        self._dice = random.Random(1)
        self._ids = UlidFactory()
        values = dict.fromkeys(bodies.NAMES, 1.5)
        self._features = [json.dumps({**values, "monetary": float(number)}) for number in range(1_000)]

    def up_to(self, rows: int) -> float:
        """Fills until there are so many; gives the rows written per second."""
        before, started = self.rows, time.perf_counter()
        asyncio.run(self._fill(rows))
        return (self.rows - before) / (time.perf_counter() - started) if self.rows > before else 0.0

    async def _fill(self, rows: int) -> None:
        engine = open_engine(self._url)
        writer = GroupCommit(ledger_spec(engine))
        writer.start()
        waiting: list[asyncio.Future[None]] = []
        while self.rows < rows:
            self.newest = group = self._group(min(GROUP, rows - self.rows))
            waiting.append(writer.submit(group))
            self.rows += len(group)
            if len(waiting) >= AT_ONCE:
                await waiting.pop(0)
        await asyncio.gather(*waiting)
        await writer.close()
        engine.dispose()

    def _group(self, count: int) -> list[Assignment]:
        moment = FIRST_MOMENT + timedelta(seconds=self.rows // 100)
        ids = self._ids.many(count, int(moment.timestamp() * 1000))
        dice = self._dice
        return [
            Assignment(
                assignment_id,
                f"c{dice.randrange(self._customers):08}",
                moment,
                moment,
                self._version,
                1 + index % SEGMENTS,
                f"Segment {1 + index % SEGMENTS}",
                1 + (index + 1) % SEGMENTS,
                f"Segment {1 + (index + 1) % SEGMENTS}",
                0.75,
                self._features[index % 1_000],
            )
            for index, assignment_id in enumerate(ids)
        ]


def _write(folder: Path, database_kind: str, sizes: Sequence[Size]) -> None:
    """What was measured now, and a picture of it and of what was written there before of other databases."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"growth-{database_kind}.json").write_text(json.dumps([asdict(one) for one in sizes], indent=1) + "\n")
    files = {kind: folder / f"growth-{kind}.json" for kind in KINDS}
    measured = {
        kind: [Size(**one) for one in json.loads(file.read_text())] for kind, file in files.items() if file.exists()
    }
    draw(measured, MOST_PAGE_MS, folder / "growth.svg")


def _print(size: Size, first: Size) -> None:
    sys.stdout.write(
        f"{size.rows:12,} {size.filled_per_second:10,.0f} {size.singles_per_second:8,.0f} "
        f"({size.singles_per_second / first.singles_per_second:.2f}) {size.audience_ms:8.1f} {size.history_ms:8.1f}\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
