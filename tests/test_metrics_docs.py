"""The table of metrics, the dashboard and the alerts speak of the metrics that exist, and of all of them."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser
import pytest
import yaml

from service.metrics.catalogue import METRICS, NAMED, Kind
from service.metrics.exposition import OF_PROCESSES
from tests.test_docs import ROOT, anchors_in, rows_of, text_of

OPERATIONS = ROOT / "docs" / "operations.md"
ALERTS: list[dict[str, Any]] = yaml.safe_load(text_of("docs/prometheus-alerts.yml"))["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads(text_of("docs/grafana-dashboard.json"))
EVERYWHERE = {"job", "instance", "le"}  # what Prometheus itself tells series apart by
OTHERS = {"up": EVERYWHERE}
PARTS = {"_bucket", "_count", "_sum"}  # of a histogram


class Used(NamedTuple):
    """A metric in an expression, and the labels it is asked for by."""

    name: str
    labels: set[str]


def labels_of(name: str) -> set[str] | None:
    """The labels that series of this name have; None where there are none of this name."""
    if name in OTHERS or name in OF_PROCESSES:
        return EVERYWHERE
    base, part = next(((name.removesuffix(part), part) for part in PARTS if name.endswith(part)), (name, ""))
    metric = NAMED.get(base)
    if metric is None or (metric.kind is Kind.HISTOGRAM) != bool(part):
        return None
    return {*metric.labels, *EVERYWHERE}


def used(expression: str) -> tuple[list[Used], set[str]]:
    """The metrics of an expression, and the labels it groups by. Fails where Prometheus would not take it."""
    found: list[Used] = []
    grouped: set[str] = set()

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.MatrixSelector):
            note(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            found.append(Used(node.name or "", {matcher.name for matcher in node.matchers.matchers}))
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            grouped.update(node.modifier.labels)

    promql_parser.walk(promql_parser.parse(expression), note)
    return found, grouped


def check(expression: str) -> None:
    found, grouped = used(expression)
    assert found
    known = {one.name: labels_of(one.name) for one in found}
    assert [name for name, labels in known.items() if labels is None] == []
    assert [one for one in found if not one.labels <= (known[one.name] or set())] == []
    assert grouped <= set().union(*(labels or set() for labels in known.values()))


def queries() -> Iterator[str]:
    """Every expression of the dashboard."""
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (one["expr"] for one in DASHBOARD["annotations"]["list"])
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            assert found
            assert found[2] in EVERYWHERE
            yield found[1]


def filled(expression: str) -> str:
    """With what Grafana puts in."""
    return expression.replace("$__rate_interval", "5m").replace("$instance", ".*")


def test_every_metric_is_documented_once_and_none_that_there_is_not() -> None:
    rows = [row for row in rows_of("docs/metrics.md") if len(row) == 4 and row[0].startswith("`")]
    documented = {row[0].strip("`"): row for row in rows}
    assert len(rows) == len(documented)
    assert documented.keys() == {*NAMED, *OF_PROCESSES}
    for metric in METRICS:
        _, kind, labels, says = documented[metric.name]
        assert kind == ("gauge" if metric.kind in (Kind.LEVEL, Kind.MAXIMUM) else metric.kind)
        assert labels == ", ".join(f"`{label}`" for label in metric.labels)
        assert says == metric.says


def test_no_other_metric_is_named_in_the_documents() -> None:
    text = "".join(path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md"))
    named = set(re.findall(r"\b(?:segmentation|process)_[a-z_]+(?:_total|_seconds|_bytes)\b", text))
    assert {name for name in named if labels_of(name) is None and name not in NAMED} == set()


@pytest.mark.parametrize("expression", sorted(set(queries())))
def test_the_dashboard_asks_for_what_there_is(expression: str) -> None:
    check(filled(expression))


def test_the_dashboards_panels_are_apart_and_named() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_the_dashboard_shows_every_metric_of_the_service() -> None:
    shown = {one.name for expression in queries() for one in used(filled(expression))[0]}
    names = {name.removesuffix(part) for name in shown for part in ("", *PARTS)}
    assert set(NAMED) - names <= {"segmentation_series_dropped_total"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_asks_for_what_there_is_and_says_what_to_do(alert: dict[str, Any]) -> None:
    check(alert["expr"])
    assert re.fullmatch(r"Segmentation[A-Z]\w+", alert["alert"])
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"docs/operations.md#{alert['alert'].lower()}"
    assert set(re.findall(r"\$labels\.(\w+)", str(alert["annotations"]))) <= EVERYWHERE


def test_alerts_have_names_of_their_own() -> None:
    assert len({alert["alert"] for alert in ALERTS}) == len(ALERTS)


def test_every_alert_has_a_section_that_says_what_to_do() -> None:
    anchors = anchors_in(OPERATIONS)
    assert [alert["alert"] for alert in ALERTS if alert["alert"].lower() not in anchors] == []
