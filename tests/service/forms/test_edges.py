"""What is at the edge of what may be sent, in every form it can be sent in."""

import json
import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest

from service.forms.form import Form
from service.store.database import open_engine
from service.store.schema import assignments
from tests.service.forms.sent import SENT, ipc, post
from tests.service.requests import FEATURES, by_features, by_transactions, line
from tests.service.serving import TestClient

MINUS_ZERO = re.compile(r"(?<=[:\[, ])-0(\.0*)?(?=[,}\]])")  # as a number of JSON
MAY_BE_ZERO = ("recency", "monetary", "mean_gap", "tenure", "return_rate", "average_order_value")


def without_id(answer: Mapping[str, Any]) -> str:
    """The answer's text, which tells 0.0 from -0.0 as `==` does not."""
    return json.dumps({name: value for name, value in answer.items() if name != "assignment_id"})


def results(client: TestClient, sent: str, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    response = post(client, sent, SENT[sent][1](items), Form.JSON)
    assert response.status_code == 200, response.text
    assert not MINUS_ZERO.search(response.text)
    found: list[dict[str, Any]] = response.json()["results"]
    return found


@pytest.mark.parametrize("feature", MAY_BE_ZERO)
def test_minus_zero_is_zero_in_one_answer(shared_client: TestClient, feature: str) -> None:
    changes: list[dict[str, Any]] = [{feature: 0.0}, {feature: -0.0}]
    zero, minus = (shared_client.post("/segment?dry_run=true", json=by_features(**change)) for change in changes)
    assert zero.status_code == 200
    assert minus.content == zero.content
    assert minus.json()["features"][feature] == 0


@pytest.mark.parametrize("sent", SENT)
def test_minus_zero_is_zero_in_a_batch_of_every_form(shared_client: TestClient, sent: str) -> None:
    names = [name for name in MAY_BE_ZERO if name in FEATURES]
    changes: list[dict[str, Any]] = [{name: value} for name in names for value in (0.0, -0.0)]
    items = [by_features(str(index // 2), **change) for index, change in enumerate(changes)]
    answers = [one["answer"] for one in results(shared_client, sent, items)]
    texts = [without_id(answer) for answer in answers]
    assert texts[::2] == texts[1::2]
    one_by_one = [shared_client.post("/segment", json=item).json() for item in items]
    assert [json.loads(without_id(answer)) for answer in one_by_one] == [json.loads(text) for text in texts]


@pytest.mark.parametrize("sent", SENT)
def test_minus_zero_is_stored_as_zero(client: TestClient, store_url: str, sent: str) -> None:
    results(client, sent, [by_features("1", monetary=-0.0, recency=-0.0), by_features("2", monetary=0.0, recency=0.0)])
    assert client.post("/segment", json=by_features("3", monetary=-0.0, recency=-0.0)).status_code == 200
    engine = open_engine(store_url)
    with engine.connect() as connection:
        stored = [row.features for row in connection.execute(assignments.select())]
    engine.dispose()
    assert len(stored) == 3
    assert [text for text in map(str, stored) if MINUS_ZERO.search(text)] == []


@pytest.mark.parametrize("sent", SENT)
def test_minus_zero_is_zero_in_transactions(shared_client: TestClient, sent: str) -> None:
    """A line of none, and one for nothing, are left out alike; of equal lines one is."""
    lines = [line(), line(quantity="@", stock_code="A"), line(unit_price="@", stock_code="B"),
             line(quantity="@", unit_price="@"), line(invoice_no="C1", unit_price="@")]  # fmt: skip
    items = [
        by_transactions(*[{name: value if cell == "@" else cell for name, cell in one.items()} for one in lines],
                        customer_id=number)
        for number, value in (("1", 0.0), ("2", -0.0))
    ]  # fmt: skip
    texts = [without_id(one["answer"]).replace('"2"', '"1"') for one in results(shared_client, sent, items)]
    assert texts[0] == texts[1]
    assert json.loads(texts[0])["ignored"]
    one_by_one = [without_id(shared_client.post("/segment", json=item).json()).replace('"2"', '"1"') for item in items]
    assert one_by_one[0] == one_by_one[1]


# Moments at the edges of the years that are allowed, and whether they are: a year counts in UTC.
EDGES: Mapping[str, bool] = {
    "1900-01-01T00:00:00Z": True,
    "1900-01-01T00:00:00-12:00": True,
    "1899-12-31T23:00:00-05:00": True,
    "1900-01-01T14:00:00+14:00": True,
    "1900-01-01T00:00:00+14:00": False,
    "1900-01-01T00:00:00+00:01": False,
    "1899-12-31T23:59:59Z": False,
    "2200-12-31T23:59:59Z": False,
    "2200-12-31T23:59:59-12:00": False,
    "2201-01-01T00:00:00+14:00": False,
    "0001-01-01T00:00:00+01:00": False,
    "0001-01-01T00:00:00+14:00": False,
    "0001-01-01T00:00:00Z": False,
    "9999-12-31T23:59:59-01:00": False,
    "9999-12-31T23:59:59.999999-23:59": False,
    "9999-12-31T23:59:59Z": False,
}


@pytest.mark.parametrize(("moment", "allowed"), EDGES.items())
def test_a_moment_at_the_edge_is_answered_or_refused_alone_in_every_form(
    shared_client: TestClient, moment: str, allowed: bool
) -> None:
    item, usual = by_features("1", as_of=moment), by_features("2")
    one = shared_client.post("/segment", json=item)
    assert one.status_code == (200 if allowed else 422), one.text
    for sent in SENT:
        if sent.startswith("arrow") and moment.startswith(("0001", "9999")):
            continue  # pyarrow cannot write them as moments; as texts they are below
        first, second = results(shared_client, sent, [item, usual])
        assert ("answer" in first) == allowed, sent
        assert "answer" in second
        if not allowed:
            assert first["problem"]["errors"] == one.json()["errors"] or sent.startswith("arrow")
            assert first["problem"]["errors"][0]["pointer"] == "/as_of"
    if allowed:
        assert shared_client.get("/customers/1").status_code == 200


@pytest.mark.parametrize(("moment", "allowed"), EDGES.items())
def test_a_moment_at_the_edge_may_be_text_in_arrow_and_of_a_whole_table(
    shared_client: TestClient, moment: str, allowed: bool
) -> None:
    table = pa.Table.from_pylist([{"customer_id": "1", "as_of": moment, **FEATURES}])
    found = post(shared_client, Form.ARROW, ipc(table, 1), Form.JSON).json()["results"]
    body = {"as_of": moment, "columns": ["customer_id", *FEATURES], "rows": [["1", *FEATURES.values()]]}
    found += shared_client.post("/segment/batch", json=body).json()["results"]
    assert ["answer" in one for one in found] == [allowed, allowed]
    assert {one["problem"]["status"] for one in found if "problem" in one} <= {422}


@pytest.mark.parametrize(("moment", "allowed"), EDGES.items())
@pytest.mark.parametrize("sent", ["list", "ndjson", "csv"])
def test_a_line_dated_at_the_edge_is_left_out_or_refused(
    shared_client: TestClient, moment: str, allowed: bool, sent: str
) -> None:
    item = by_transactions(line(), line(invoice_date=moment, stock_code="X"))
    early_or_late = allowed or moment == "2200-12-31T23:59:59Z" or moment == "2201-01-01T00:00:00+14:00"
    assert shared_client.post("/segment", json=item).status_code == (200 if early_or_late else 422)
    (result,) = results(shared_client, sent, [item])
    assert ("answer" in result) == early_or_late


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("value", [-(2**63) + 1, 2**63 - 1, -62_135_596_800, 253_402_300_799, 0, -2_208_988_800])
def test_no_timestamp_in_arrow_makes_it_fail(shared_client: TestClient, unit: str, value: int) -> None:
    moments = pa.array([value, 0], pa.timestamp(unit, "UTC"))
    columns = {name: pa.array([number] * 2) for name, number in FEATURES.items()}
    table = pa.table({"customer_id": pa.array(["1", "2"]), "as_of": moments, **columns})
    first, second = post(shared_client, Form.ARROW, ipc(table, 2), Form.JSON).json()["results"]
    assert "answer" in second
    assert first.get("problem", {"status": 422})["status"] == 422
