"""`python -m benchmarks.soak [--minutes 10] [--workers 4] [--database postgresql]`: is every answer right, for long?

Mixed load by several workers while the model is swapped; at the end every answer is looked up in the store, and
what the service counted is held against what callers sent.
"""

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.callers import Callers
from benchmarks.counters import differences
from benchmarks.databases import KINDS, database
from benchmarks.demo import train
from benchmarks.reckoning import reckon, segment_names
from benchmarks.server import Server
from models.registry import Registry

BAD = 0.01
BATCH = 50
FOLLOWED_WITHIN = 5.0  # seconds; workers look every second
ALL_ASKED = 12  # connections in a row that come to a worker with the new model


class Swaps:
    """Activates the versions in turn, and looks how long it takes until all workers have followed."""

    def __init__(self, port: int, versions: Sequence[str], every: float) -> None:
        self.seconds: list[float] = []
        self.faults: list[str] = []
        self._port, self._versions, self._every = port, versions, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Swaps":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        turn = 0
        while not self._stop.wait(self._every):
            version = self._versions[turn % len(self._versions)]
            turn += 1
            status, said = self._ask("POST", f"/models/{version}/activate")
            if status != 200:
                self.faults.append(f"activating {version} was answered {status}: {said}")
                continue
            self._wait_for(version)

    def _wait_for(self, version: str) -> None:
        started = last_old = time.monotonic()
        agreed = 0
        while agreed < ALL_ASKED:
            agreed = agreed + 1 if self._ask("GET", "/models")[1]["serving"] == version else 0
            if not agreed:
                last_old = time.monotonic()
            if time.monotonic() - started > FOLLOWED_WITHIN + 5:
                self.faults.append(f"not every worker answers by {version} {FOLLOWED_WITHIN:g} s after its activation")
                break
        self.seconds.append(last_old - started)

    def _ask(self, method: str, path: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, json.load(answer)
        finally:
            connection.close()


def main(arguments: Sequence[str]) -> int:
    """Load, reckon and print; 1 where anything was not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--callers", type=int, default=8, help="connections at a time")
    parser.add_argument("--swap-seconds", type=float, default=20.0)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        faults = _soak(given, Path(folder))
    for fault in faults:
        sys.stdout.write(f"FAULT: {fault}\n")
    sys.stdout.write("every answer is as it must be\n" if not faults else f"{len(faults)} faults\n")
    return int(bool(faults))


def _soak(given: argparse.Namespace, folder: Path) -> list[str]:
    versions = [train(folder / "models", seed) for seed in (1, 2)]
    with database(given.database, folder) as url:
        environment = {
            "SEGMENTATION_MODELS_DIR": str(folder / "models"),
            "SEGMENTATION_DATABASE_URL": url,
            "SEGMENTATION_PORT": "{port}",
        }
        server = Server("soak", ["-m", "service", "serve", "--workers", str(given.workers)], environment, folder)
        with server:
            with (
                Swaps(server.port, versions, given.swap_seconds) as swaps,
                Callers(server.port, given.callers, bad=BAD, batch=BATCH) as callers,
            ):
                _let_go_on(given.minutes * 60, callers)
            miscounted = differences(server.port, callers.calls, len(callers.answers))
        found = reckon(url, callers.answers, segment_names(Registry(folder / "models")))
    for kind, count in sorted(callers.calls.items()):
        sys.stdout.write(f"{count:10,} x {kind}\n")
    sys.stdout.write(
        f"{found.told:,} answers told, {found.stored:,} stored by {given.workers} workers in {given.database}; "
        f"{len(swaps.seconds)} swaps, followed by all within {max(swaps.seconds, default=0.0):.1f} s\n"
    )
    faults = [*found.faults, *swaps.faults, *server.faults, *miscounted]
    faults += [f"{found.untold} answers are stored and were told nobody"] if found.untold else []
    faults += [f"{callers.broken} connections broke"] if callers.broken else []
    faults += [f"{one.call} was answered {one.status}: {one.body}" for one in callers.refused[:5]]
    return faults


def _let_go_on(seconds: float, callers: Callers) -> None:
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, 60))
        sys.stderr.write(f"{len(callers.answers):,} answers, {len(callers.refused)} refused\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
