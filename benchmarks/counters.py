"""What a service has counted, held against what its callers sent."""

import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

REQUESTS, ASSIGNMENTS = "segmentation_requests_total", "segmentation_assignments_total"
SCRAPE = "GET /metrics 200"
PATIENCE = 5.0  # seconds; a request is counted after its answer was sent


@dataclass(slots=True)
class Counters:
    """The counters of the service on this port from now on, as Calls are counted. `token` may read metrics."""

    port: int
    token: str
    _before: Counter[str] = field(init=False)
    _scrapes: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._before = self._read()

    def differences(self, calls: Counter[str], told: int) -> list[str]:
        """A sentence for every count that is not what callers sent and were told."""
        ends = time.monotonic() + PATIENCE
        while (faults := self._compare(calls, told)) and time.monotonic() < ends:
            pass  # each look is a request
        return faults

    def _compare(self, calls: Counter[str], told: int) -> list[str]:
        sent = calls + Counter({SCRAPE: self._scrapes, ASSIGNMENTS: told})  # the scrape under way is not counted yet
        counted = self._read()
        counted.subtract(self._before)
        return [
            f"the service counted {counted[kind]:,} x {kind}, and callers {sent[kind]:,}"
            for kind in sorted(counted.keys() | sent.keys())
            if counted[kind] != sent[kind]
        ]

    def _read(self) -> Counter[str]:
        headers = {"authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/metrics", headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        self._scrapes += 1
        counted: Counter[str] = Counter()
        for sample in (sample for family in families for sample in family.samples):
            if sample.name == REQUESTS:
                counted["{method} {route} {status}".format(**sample.labels)] += int(sample.value)
            elif sample.name == ASSIGNMENTS:
                counted[ASSIGNMENTS] += int(sample.value)
        return counted
