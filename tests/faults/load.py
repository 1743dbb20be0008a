"""Callers who go on whatever happens, and what must be true of their answers afterwards."""

import json
import time
from pathlib import Path

from benchmarks.callers import Call, Callers
from benchmarks.reckoning import Reckoning, reckon, segment_names
from models.registry import Registry
from tests.service.serving import until

TRY_AGAIN_SECONDS = 0.05  # a caller told 503 would wait for a second; these would not be done today
DOCUMENTED = {f"urn:segmentation:problem:{name}" for name in ("not-ready", "store-unavailable", "store-busy")}


class Load(Callers):
    """As `Callers`, which keep what was acknowledged; whoever is refused waits a moment."""

    def __init__(self, port: int, count: int = 3, *, reconnect: bool = True) -> None:
        super().__init__(port, count, batch=20, reconnect=reconnect)

    def _keep(self, call: Call, status: int, body: bytes) -> None:
        super()._keep(call, status, body)
        if status == 503:
            time.sleep(TRY_AGAIN_SECONDS)

    def wait_for_answers(self, more: int = 100) -> None:
        """Until so many more were stored and acknowledged."""
        enough = len(self.answers) + more
        until(lambda: len(self.answers) >= enough)

    def wait_for_refusals(self, more: int = 1) -> None:
        """Until so many more were told that it cannot be done now."""
        enough = len(self.refused) + more
        until(lambda: len(self.refused) >= enough)

    def undocumented(self) -> list[str]:
        """Refusals other than the 503s of a database or a model that are not there."""
        return [
            f"{one.call}: {one.status} {one.body}" for one in self.refused if not _is_documented(one.status, one.body)
        ]

    def reckoned(self, url: str, models_dir: Path) -> Reckoning:
        """The answers held against the store."""
        return reckon(url, self.answers, segment_names(Registry(models_dir)))


def _is_documented(status: int, body: str) -> bool:
    if status != 503:
        return False
    try:
        kind = json.loads(body)["type"]
    except (ValueError, KeyError):  # the item of a batch, as Python shows it, or cut short
        return any(known in body for known in DOCUMENTED)
    return kind in DOCUMENTED
