"""What a service has counted, held against what its callers sent."""

import urllib.request
from collections import Counter
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

REQUESTS, ASSIGNMENTS = "segmentation_requests_total", "segmentation_assignments_total"
PAGES = ("/customers/{id}/history", "/segments/{segment_id}/customers")


def differences(port: int, calls: Mapping[str, int], told: int) -> list[str]:
    """A sentence for every count that is not what callers sent and were told; `calls` are counted as Callers do."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    counted: Counter[str] = Counter()
    assigned = 0
    for sample in (sample for family in families for sample in family.samples):
        if sample.name == REQUESTS and (kind := _kind(sample.labels)):
            counted[kind] += int(sample.value)
        assigned += int(sample.value) if sample.name == ASSIGNMENTS else 0
    faults = [
        f"the service counted {counted[kind]:,} x {kind}, and callers {calls.get(kind, 0):,}"
        for kind in sorted(counted.keys() | calls.keys())
        if counted[kind] != calls.get(kind, 0)
    ]
    return faults + [f"the service counted {assigned:,} assignments, and told {told:,}"] * (assigned != told)


def _kind(labels: Mapping[str, str]) -> str | None:
    """The kind of call as Callers name it; None for what they do not send."""
    if labels["route"] in PAGES:
        return f"pages {labels['status']}"
    if labels["method"] == "POST" and labels["route"].startswith("/segment"):
        return f"{labels['route']} {labels['status']}"
    return None
