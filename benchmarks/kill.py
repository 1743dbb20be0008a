"""`python -m benchmarks.kill [--times 50] [--workers 2] [--database postgresql]`: is every acknowledged answer kept?

Kills the service at random moments under load and starts it again; at the end every answer is looked up in the store.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.databases import KINDS, database
from benchmarks.demo import train
from benchmarks.reckoning import reckon, segment_names
from benchmarks.service import Service
from benchmarks.streaming_callers import StreamingCallers
from benchmarks.told import Told
from models.registry import Registry

LONGEST = 0.8  # seconds of load before a kill
STREAMS = 0.3


def main(arguments: Sequence[str]) -> int:
    """Kill, reckon and print; 1 where anything was not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill", description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--callers", type=int, default=8, help="connections at a time")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        faults = _kill(given, Path(folder))
    for fault in faults:
        sys.stdout.write(f"FAULT: {fault}\n")
    sys.stdout.write("every answer is as it must be\n" if not faults else f"{len(faults)} faults\n")
    return int(bool(faults))


def _kill(given: argparse.Namespace, folder: Path) -> list[str]:
    train(folder / "models")
    told: list[Told] = []
    faults: list[str] = []
    starts: list[float] = []
    streams = cut = 0
    with database(given.database, folder) as url:
        environment = {
            "SEGMENTATION_MODELS_DIR": str(folder / "models"),
            "SEGMENTATION_DATABASE_URL": url,
            "SEGMENTATION_PORT": "{port}",
        }
        server = Service("killed", environment, folder, "--workers", str(given.workers))
        for time_ in range(given.times):
            started = time.monotonic()
            with server:
                starts.append(time.monotonic() - started)
                with StreamingCallers(server.port, given.callers, share=STREAMS, seed=time_) as callers:
                    time.sleep(random.uniform(0, LONGEST))
                    server.kill()
            told += callers.answers
            streams, cut = streams + callers.streams, cut + callers.streams_cut
            faults += [f"{one.call} was answered {one.status}: {one.body}" for one in callers.refused]
        with server, StreamingCallers(server.port, 1, share=STREAMS) as callers:  # and it goes on
            time.sleep(LONGEST)
        told += callers.answers
        found = reckon(url, told, segment_names(Registry(folder / "models")))
    sys.stdout.write(
        f"{given.times} kills in {given.database}, {given.workers} workers: {found.told:,} answers told, "
        f"{found.stored:,} stored, {found.untold:,} of them when the caller could not be told any more; "
        f"{streams:,} streams answered and {cut:,} cut; "
        f"started again within {max(starts[1:], default=0):.1f} s\n"
    )
    return [*found.faults, *faults, *server.faults]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
