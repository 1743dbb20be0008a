"""GET /segments…: profiles, advice, and the audience page by page."""

import csv
import io
import json
from collections import Counter
from typing import Any

import pytest

from models.model import SegmentationModel
from tests.service.requests import by_features
from tests.service.serving import TestClient

CUSTOMERS = 57


@pytest.fixture
def audience(client: TestClient) -> dict[str, Any]:
    """A segment whose members are 57 customers with ids of all kinds, and one who was a member once."""
    ids = [f"{index}" for index in range(CUSTOMERS - 4)] + ["Åse", "ångström", "a?b&c=d", "😀"]
    answers = client.post("/segment/batch", json=[by_features(name) for name in ids]).json()["results"]
    segment = answers[0]["answer"]["segment"]
    gone = [
        by_features("gone", as_of="2011-12-01"),
        by_features("gone", frequency=1, monetary=1, tenure=300, recency=299),
    ]
    for request in gone:
        left = client.post("/segment", json=request).json()["segment"]
    assert left != segment
    return {**segment, "ids": ids}


def test_the_profiles_come_with_the_most_valuable_first(client: TestClient, model: SegmentationModel) -> None:
    found = client.get("/segments").json()
    assert found["model_version"] == model.version
    assert [one["profitability_rank"] for one in found["segments"]] == list(range(1, len(model.segments) + 1))
    assert sum(one["size"] for one in found["segments"]) == model.manifest.customers
    assert sum(one["share"] for one in found["segments"]) == pytest.approx(1, abs=1e-5)
    assert len({one["name"] for one in found["segments"]}) == len(model.segments)
    evidence = model.manifest.evidence
    assert found["evidence"] == {
        "beyond_chance": evidence.beyond_chance,
        "says": [one.says for one in evidence.backtests],
        "warnings": list(evidence.warnings),
        "unproved": list(evidence.unproved),
    }
    assert found["evidence"]["says"]
    for one in found["segments"]:
        assert {"outcome", "rule", "jaccard", "uplift", "habits"} <= one.keys()
        assert client.get(f"/segments/{one['id']}").json() == one
        assert one["mode_of_quantity"] > 0


def test_the_advice_for_a_segment_says_what_a_test_of_it_can_show(client: TestClient, model: SegmentationModel) -> None:
    for one in model.segments:
        advice = client.get(f"/segments/{one.id}/recommendations").json()
        assert advice["holdout"] == {"share": 0.1, "key": "recommendations"}
        assert one.uplift is not None
        assert advice["uplift"] == one.uplift.model_dump()
        assert advice["recommendation"]["detectable_uplift"] == one.uplift.uplift
        assert advice["products"] == [product.model_dump() for product in one.products]
        assert len(advice["recommendation"]["offers"]) == len(advice["recommendation"]["products"]) == 10


def test_a_segment_there_is_not_is_told_with_those_there_are(client: TestClient) -> None:
    for address in ("/segments/99", "/segments/99/recommendations", "/segments/99/customers"):
        problem = client.get(address)
        assert problem.status_code == 404
        assert "has no segment 99; its segments are 1, 2, 3" in problem.json()["detail"]


@pytest.mark.parametrize("limit", [1, 7, 57, 100])
def test_the_pages_hold_every_member_once_in_order_of_id(
    client: TestClient, audience: dict[str, Any], limit: int
) -> None:
    seen: list[str] = []
    address: str | None = f"/segments/{audience['id']}/customers?limit={limit}"
    while address:
        response = client.get(address)
        page = response.json()
        assert page["segment"] == {"id": audience["id"], "name": audience["name"]}
        assert page["total"] == CUSTOMERS
        assert 1 <= len(page["customers"]) <= limit
        seen += [one["customer_id"] for one in page["customers"]]
        assert ("next" in response.links) == (page["next"] is not None)
        address = response.links["next"]["url"] if page["next"] else None
    assert Counter(seen) == Counter(audience["ids"])
    assert seen == sorted(seen, key=str.encode)


def test_the_cursor_of_the_body_leads_on_as_the_link_does(client: TestClient, audience: dict[str, Any]) -> None:
    address = f"/segments/{audience['id']}/customers"
    first = client.get(address, params={"limit": 50}).json()
    second = client.get(address, params={"limit": 50, "cursor": first["next"]}).json()
    assert [len(first["customers"]), len(second["customers"]), second["next"]] == [50, 7, None]


def test_csv_and_ndjson_hold_what_json_holds(client: TestClient, audience: dict[str, Any]) -> None:
    address = f"/segments/{audience['id']}/customers?limit=1000"
    customers = client.get(address).json()["customers"]

    lines = client.get(address, headers={"accept": "application/x-ndjson"})
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(one) for one in lines.text.splitlines()] == customers

    table = client.get(address, headers={"accept": "text/csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
    for row, one in zip(rows, customers, strict=True):
        assert {name: row[name] for name in ("customer_id", "as_of", "model_version")} == {
            name: one[name] for name in ("customer_id", "as_of", "model_version")
        }
        assert (int(row["segment_id"]), row["segment"]) == (one["segment"]["id"], one["segment"]["name"])
        assert float(row["confidence"]) == one["confidence"]
        assert {name: float(row[name]) for name in one["features"]} == one["features"]


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson"])
def test_the_link_leads_through_the_pages_of_a_file(client: TestClient, audience: dict[str, Any], accept: str) -> None:
    seen = 0
    address: str | None = f"/segments/{audience['id']}/customers?limit=20"
    while address:
        response = client.get(address, headers={"accept": accept})
        seen += len(response.text.splitlines()) - (accept == "text/csv")
        address = response.links.get("next", {}).get("url")
    assert seen == CUSTOMERS


def test_a_customer_is_in_the_audience_of_the_newest_answer_only(client: TestClient, audience: dict[str, Any]) -> None:
    now = client.get("/customers/gone").json()["segment"]
    assert [one["customer_id"] for one in client.get(f"/segments/{now['id']}/customers").json()["customers"]] == [
        "gone"
    ]
    # An older moment, sent later, changes nothing.
    late = client.post("/segment", json=by_features("gone", as_of="2011-11-01")).json()
    assert late["segment"]["id"] == audience["id"]
    assert client.get(f"/segments/{audience['id']}/customers").json()["total"] == CUSTOMERS


def test_an_empty_audience_is_a_page_without_customers(client: TestClient) -> None:
    assert client.get("/segments/1/customers").json()["customers"] == []
    assert client.get("/segments/1/customers", headers={"accept": "application/x-ndjson"}).text == ""


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("cursor=%21", "cursor"),
        ("cursor=_w", "cursor"),
    ],
)
def test_a_parameter_nobody_gave_out_is_named(client: TestClient, query: str, name: str) -> None:
    response = client.get(f"/segments/1/customers?{query}")
    assert response.status_code == 422
    assert [fault["pointer"] for fault in response.json()["errors"]] == [name]
