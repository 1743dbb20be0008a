"""Another model every so often, while the service answers."""

import json
import threading
import time
from collections.abc import Sequence
from typing import Self

from benchmarks.attendant import Attendant

FOLLOWED_WITHIN = 5.0  # seconds; workers look every second
ALL_ASKED = 12  # connections in a row that come to a worker with the new model


class Swaps:
    """Activates the versions in turn, and looks how long it takes until all workers have followed."""

    def __init__(self, attendant: Attendant, versions: Sequence[str], every: float) -> None:
        self.seconds: list[float] = []
        self.faults: list[str] = []
        self._attendant, self._versions, self._every = attendant, versions, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
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
            activate = "/models/{version}/activate"
            status, said = self._attendant.ask("POST", activate.format(version=version), activate)
            if status != 200:
                self.faults.append(f"activating {version} was answered {status}: {said.decode(errors='replace')}")
                continue
            self._wait_for(version)

    def _wait_for(self, version: str) -> None:
        started = last_old = time.monotonic()
        agreed = 0
        while agreed < ALL_ASKED:
            agreed = agreed + 1 if json.loads(self._attendant.ask("GET", "/models")[1])["serving"] == version else 0
            if not agreed:
                last_old = time.monotonic()
            if time.monotonic() - started > FOLLOWED_WITHIN + 5:
                self.faults.append(f"not every worker answers by {version} {FOLLOWED_WITHIN:g} s after its activation")
                break
        self.seconds.append(last_old - started)
