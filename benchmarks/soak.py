"""`python -m benchmarks.soak [--minutes 10] [--workers 4] [--database postgresql] [--load 0.7]`: right for long?

Load as production has it, by several workers, while the model is swapped. At the end every answer is looked up in the
store, what the service counted is held against what callers sent, and what its processes take now against what they
took at the beginning.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.attendant import Attendant
from benchmarks.counters import Counters
from benchmarks.databases import KINDS, database
from benchmarks.demo import train
from benchmarks.footprint import Footprint, not_flat
from benchmarks.keyring import make_keys
from benchmarks.production_callers import ProductionCallers
from benchmarks.reckoning import reckon, segment_names
from benchmarks.service import Service
from benchmarks.swaps import Swaps
from models.registry import Registry

BAD = 0.01
BATCH = 50
STREAMS = 0.003
# Streams are what memory is needed for: with all callers at them it is, once, about as much as it ever will be. What
# malloc has in its arenas by then it uses again.
WARM_STREAMS = 0.3
WARM_SECONDS = 20.0
TOP_SPEED_SECONDS = 20.0


def main(arguments: Sequence[str]) -> int:
    """Load, reckon and print; 1 where anything was not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--database", choices=KINDS, default="sqlite")
    parser.add_argument("--callers", type=int, default=8, help="connections at a time")
    parser.add_argument("--load", type=float, default=0.7, help="share of top speed, which is measured before")
    parser.add_argument("--swap-seconds", type=float, default=20.0)
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _stopped)  # so that the service and the database are stopped too
    with tempfile.TemporaryDirectory() as folder:
        faults = _soak(given, Path(folder))
    for fault in faults:
        sys.stdout.write(f"FAULT: {fault}\n")
    sys.stdout.write("every answer is as it must be\n" if not faults else f"{len(faults)} faults\n")
    return int(bool(faults))


def _soak(given: argparse.Namespace, folder: Path) -> list[str]:
    versions = [train(folder / "models", seed) for seed in (1, 2)]
    with database(given.database, folder) as url:
        tokens = make_keys(url)
        environment = {
            "SEGMENTATION_MODELS_DIR": str(folder / "models"),
            "SEGMENTATION_DATABASE_URL": url,
            "SEGMENTATION_PORT": "{port}",
        }
        server = Service("soak", environment, folder, "--workers", str(given.workers))
        with server:
            counters = Counters(server.port, tokens["read"])
            callers = ProductionCallers(server.port, given.callers, share=STREAMS, bad=BAD, batch=BATCH, tokens=tokens)
            footprint = Footprint(server.process.pid)
            with (
                Attendant(server.port, tokens["admin"]) as attendant,
                Swaps(attendant, versions, given.swap_seconds) as swaps,
                callers,
            ):
                _find_the_pace(given.load, callers)
                with footprint:
                    _let_go_on(given.minutes * 60, callers)
            told = len(callers.answers) + len(callers.erased)
            faults = counters.differences(callers.calls + attendant.calls, told)
        found = reckon(url, callers.answers, segment_names(Registry(folder / "models")), callers.erased)
    for kind, count in sorted((callers.calls + attendant.calls).items()):
        sys.stdout.write(f"{count:10,} x {kind}\n")
    growth = footprint.growth()
    sys.stdout.write("".join(f"{one}\n" for one in growth))
    sys.stdout.write(
        f"{found.told:,} answers told, {found.stored:,} stored by {given.workers} workers in {given.database}, "
        f"{len(callers.erased):,} more erased; {callers.streams:,} streams; "
        f"{len(swaps.seconds)} swaps, followed by all within {max(swaps.seconds, default=0.0):.1f} s\n"
    )
    faults += [*found.faults, *swaps.faults, *server.faults, *attendant.faults, *not_flat(growth)]
    faults += [f"{found.untold} answers are stored and were told nobody"] if found.untold else []
    faults += [f"{callers.broken} connections broke"] if callers.broken else []
    faults += [f"{one.call} was answered {one.status}: {one.body}" for one in callers.refused[:5]]
    return faults


def _find_the_pace(load: float, callers: ProductionCallers) -> None:
    """Lets callers send as fast as they can, to warm up and to be measured, and then at a share of that."""
    callers.share = WARM_STREAMS
    _let_go_on(WARM_SECONDS, callers)
    callers.share = STREAMS
    started, before = time.monotonic(), callers.calls.total()
    _let_go_on(TOP_SPEED_SECONDS, callers)
    top = (callers.calls.total() - before) / (time.monotonic() - started)
    callers.pace.slow_to(load * top)
    sys.stdout.write(f"top speed is {top:,.0f} requests/s; {load * top:,.0f} are sent from now on\n")


def _let_go_on(seconds: float, callers: ProductionCallers) -> None:
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(left, 60))
        sys.stderr.write(f"{len(callers.answers):,} answers, {len(callers.refused)} refused\n")


def _stopped(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
