"""What Prometheus would make of a scrape."""

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

Sample = tuple[str, frozenset[tuple[str, str]]]


def parsed(text: str) -> dict[Sample, float]:
    """Every sample by its name and labels. Fails where one is there twice, or is none."""
    found: dict[Sample, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


def scraped(url: str, headers: Mapping[str, str] | None = None) -> dict[Sample, float]:
    """The samples of a running service."""
    answer = httpx.get(f"{url}/metrics", headers=dict(headers or {}), timeout=60)
    assert answer.status_code == 200
    return parsed(answer.text)


def total(samples: Mapping[Sample, float], name: str, **labels: str) -> float:
    """The sum of all samples of this name that have these labels."""
    wanted = set(labels.items())
    return sum(value for (found, has), value in samples.items() if found == name and wanted <= has)


def by(samples: Mapping[Sample, float], name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The samples of this name, by the values of these labels."""
    found: dict[tuple[str, ...], float] = {}
    for (sample, has), value in samples.items():
        if sample == name:
            key = tuple(dict(has)[label] for label in labels)
            found[key] = found.get(key, 0.0) + value
    return found
