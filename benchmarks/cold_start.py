"""`python -m benchmarks.cold_start [--rounds 5]`: seconds from the start of the process to the first stored answer.

Of a version served before, beside the yardstick in turns, and the memory of the process after that answer.
"""

import argparse
import http.client
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import bodies
from benchmarks.__main__ import YARDSTICK
from benchmarks.databases import KINDS, database
from benchmarks.demo import train
from benchmarks.server import free_port
from benchmarks.service import SERVE

PATIENCE = 60.0
MOST_SECONDS, MOST_TIMES, MOST_MEGABYTES = 1.0, 2.0, 100.0


@dataclass(frozen=True, slots=True)
class Start:
    """One start."""

    seconds: float
    megabytes: float


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 where a bound is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        return max([_compare(kind, given.rounds, Path(folder) / kind) for kind in KINDS])


def _compare(kind: str, rounds: int, folder: Path) -> int:
    folder.mkdir()
    train(folder / "models")
    with database(kind, folder) as url:
        environment = {"SEGMENTATION_MODELS_DIR": str(folder / "models"), "SEGMENTATION_DATABASE_URL": url}
        _start(SERVE, environment)  # proves the model
        pairs = [(_start(SERVE, environment), _start(YARDSTICK, {})) for _ in range(rounds)]
    seconds = statistics.median(mine.seconds for mine, _ in pairs)
    times = statistics.median(mine.seconds / yardstick.seconds for mine, yardstick in pairs)
    memory = statistics.median(mine.megabytes for mine, _ in pairs)
    sys.stdout.write(
        f"{kind:12} {seconds:.2f} s to the first stored answer, {times:.2f} x yardstick "
        f"({statistics.median(one.seconds for _, one in pairs):.2f} s); {memory:.0f} MB against "
        f"{statistics.median(one.megabytes for _, one in pairs):.0f} MB\n"
    )
    return int((seconds > MOST_SECONDS and times > MOST_TIMES) or memory > MOST_MEGABYTES)


def _memory(process: psutil.Process) -> int:
    """What it has in memory, and those that it started have beyond that."""
    own: int = process.memory_info().rss
    return own + sum(child.memory_full_info().uss for child in process.children())


def _start(command: Sequence[str], environment: dict[str, str]) -> Start:
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *(part.format(port=port) for part in command)],
        env={**os.environ, **environment, "SEGMENTATION_PORT": str(port)},
        stderr=subprocess.DEVNULL,
    )
    try:
        _first_answer(process, port, bodies.encoded(bodies.customers(1))[0])
        return Start(time.perf_counter() - started, _memory(psutil.Process(process.pid)) / 1e6)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _first_answer(process: "subprocess.Popen[bytes]", port: int, body: bytes) -> None:
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("POST", "/segment", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            if answer.status == 200:
                answer.read()
                return
        except ConnectionError:
            time.sleep(0.005)
        finally:
            connection.close()
    raise RuntimeError(f"the server on port {port} gave no first answer")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
