"""`python -m benchmarks [--quick] [--json] [--naive] [--out FOLDER]`: the service beside the yardstick, in turns."""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import bodies, load
from benchmarks.databases import KINDS, database
from benchmarks.demo import train
from benchmarks.load import Measured
from benchmarks.picture import draw
from benchmarks.server import Server
from benchmarks.service import Service

BATCH = 10_000
YARDSTICK = [
    "-m",
    "uvicorn",
    "benchmarks.yardstick:app",
    "--port",
    "{port}",
    "--no-access-log",
    "--log-level",
    "warning",
]
NAIVE = ["-m", "uvicorn", "--factory", "benchmarks.naive:make_app", "--port", "{port}", "--no-access-log"]


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement: the same requests to a server and to the yardstick, in turns."""

    name: str
    server: Server
    path: str
    yardstick_path: str
    requests: list[bytes]
    connections: int
    items: int = 1


@dataclass(frozen=True, slots=True)
class Result:
    """Per round: items per second of both, their ratio, and p99 of both in milliseconds."""

    name: str
    per_second: list[float]
    yardstick_per_second: list[float]
    ratios: list[float]
    p99_ms: list[float]
    yardstick_p99_ms: list[float]
    errors: int

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 where a server answered anything but 200."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--naive", action="store_true", help="measure what most people write beside it")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write ratios.json and ratios.svg there")
    given = parser.parse_args(arguments)
    rounds, seconds = (2, 1.0) if given.quick else (5, 5.0)
    with (
        tempfile.TemporaryDirectory() as folder,
        _cases(Path(folder), given.naive, wide=not given.quick) as (yardstick, cases),
    ):
        results = [_measure(case, yardstick, rounds, seconds) for case in cases]
    full = {
        "ratios": {one.name: round(one.ratio, 3) for one in results},
        "results": [asdict(one) for one in results],
    }
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "ratios.json").write_text(json.dumps(full, indent=1) + "\n")
        draw({one.name: one.ratios for one in results}, given.out / "ratios.svg")
    if given.json:
        sys.stdout.write(json.dumps(full) + "\n")
    else:
        for one in results:
            _print(one)
    return int(any(one.errors for one in results))


def _measure(case: Case, yardstick: Server, rounds: int, seconds: float) -> Result:
    mine: list[Measured] = []
    theirs: list[Measured] = []
    ours = [load.request(case.path, body, case.server.port) for body in case.requests]
    other = [load.request(case.yardstick_path, body, yardstick.port) for body in case.requests]
    for _ in range(rounds):
        mine.append(load.run(case.server.port, ours, case.connections, seconds))
        theirs.append(load.run(yardstick.port, other, case.connections, seconds))
    return Result(
        name=case.name,
        per_second=[one.per_second * case.items for one in mine],
        yardstick_per_second=[one.per_second * case.items for one in theirs],
        ratios=[one.per_second / other.per_second for one, other in zip(mine, theirs, strict=True)],
        p99_ms=[one.p99_ms for one in mine],
        yardstick_p99_ms=[one.p99_ms for one in theirs],
        errors=sum(one.errors for one in mine + theirs),
    )


def _print(one: Result) -> None:
    spread = f"{min(one.ratios):.2f}-{max(one.ratios):.2f}"
    sys.stdout.write(
        f"{one.name:24} {one.ratio:5.2f} x yardstick ({spread}), {statistics.median(one.per_second):9,.0f}/s against "
        f"{statistics.median(one.yardstick_per_second):9,.0f}/s, p99 {statistics.median(one.p99_ms):.1f} against "
        f"{statistics.median(one.yardstick_p99_ms):.1f} ms{', ERRORS' if one.errors else ''}\n"
    )


@contextmanager
def _cases(folder: Path, naive: bool, wide: bool) -> Iterator[tuple[Server, list[Case]]]:
    version = train(folder / "models")
    common = {"SEGMENTATION_MODELS_DIR": str(folder / "models"), "SEGMENTATION_PORT": "{port}"}
    one = bodies.encoded(bodies.customers(1_000))
    batch = [b"[%b]" % b",".join(bodies.encoded(bodies.customers(BATCH)))]
    lines = bodies.encoded(bodies.purchases(200))
    with ExitStack() as stack:
        yardstick = stack.enter_context(Server("yardstick", YARDSTICK, {}, folder))
        cases = []
        for kind in KINDS:
            environment = {**common, "SEGMENTATION_DATABASE_URL": stack.enter_context(database(kind, folder))}
            server = stack.enter_context(Service(kind, environment, folder))
            cases.append(Case(f"segment_{kind}", server, "/segment", "/segment", one, 16))
            if wide:
                cases.append(Case(f"segment_{kind}_wide", server, "/segment", "/segment", one, 64))
            if kind == "sqlite":
                cases.append(Case("transactions_sqlite", server, "/segment", "/segment/transactions", lines, 16))
            cases.append(Case(f"batch_{kind}", server, "/segment/batch", "/segment/batch", batch, 1, BATCH))
        if naive:
            pipeline = folder / "models" / version / "pipeline.joblib"
            environment = {"NAIVE_MODEL": str(pipeline), "NAIVE_DATABASE": f"sqlite:///{folder}/naive.sqlite3"}
            naively = stack.enter_context(Server("naive", NAIVE, environment, folder))
            cases.append(Case("naive_segment_sqlite", naively, "/segment", "/segment", one, 16))
        yield yardstick, cases


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
