"""/customers/{id}…"""

import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from models.registry import Registry
from service.store.assignment import Assignment
from service.store.database import open_engine
from service.store.personal_data import GUARDED, PersonalData
from service.store.schema import customers, metadata
from tests.published import Published
from tests.service.requests import by_features, by_transactions
from tests.service.serving import NOW, TestClient, serving, settings_for, until

NAMED = "Ada-Lovelace-of-Marylebone"  # found nowhere by chance


@pytest.mark.parametrize("address", ["/customers/1", "/customers/1/history", "/customers/1/recommendations"])
def test_a_customer_without_an_answer_is_unknown(client: TestClient, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 404
    assert response.json()["type"] == "urn:segmentation:problem:unknown-customer"


@pytest.mark.parametrize("address", ["/customers/a/b/export", "/customers/1/export"])
def test_of_an_unknown_customer_there_is_nothing_to_export(client: TestClient, address: str) -> None:
    assert client.get(address).json()["type"] == "urn:segmentation:problem:unknown-customer"


@pytest.mark.parametrize(
    "sent", ["%00", "%0A", "x" * 257, "%20", "a%0Ab", "a%0Db", "%0A/a%0A/b", "a%E2%80%A8b", "1%C2%85%0A2", "a%0Ab%0A"]
)
def test_an_id_nobody_can_have_is_refused(client: TestClient, sent: str) -> None:
    address = f"/customers/{sent}"
    for response in (client.get(address), client.delete(address), client.get(f"{address}/history"),
                     client.get(f"{address}/recommendations"), client.get(f"{address}/export")):  # fmt: skip
        assert response.status_code == 422
        assert response.json()["errors"][0]["pointer"] == "id"


@pytest.mark.parametrize("sent", ["17850%0A", "%0A17850", "17850.0%0D%0A", "%0917850", "17850%E2%80%A9"])
def test_line_breaks_around_an_id_are_dropped_as_in_a_body(client: TestClient, sent: str) -> None:
    answer = client.post("/segment", json=by_features()).json()
    assert client.get(f"/customers/{sent}").json() == answer
    assert client.get(f"/customers/{sent}/history").json()["customer_id"] == "17850"
    assert client.delete(f"/customers/{sent}").json()["answers"] == 1


def test_the_history_is_paged_newest_first(client: TestClient) -> None:
    sent = [by_features("1", monetary=float(index)) for index in range(25)]
    ids = [client.post("/segment", json=one).json()["assignment_id"] for one in sent]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = client.get("/customers/1/history", params={"limit": 10, **({"cursor": cursor} if cursor else {})}).json()
        seen += [one["assignment_id"] for one in page["answers"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ids[::-1]
    assert client.get("/customers/1/history?cursor=nothing").status_code == 422


def test_advice_is_the_active_models_for_the_customers_segment(client: TestClient) -> None:
    answer = client.post("/segment", json=by_features()).json()
    advice = client.get("/customers/17850/recommendations").json()
    assert advice["customer_id"] == "17850"
    assert advice["segment"] == answer["segment"]
    assert advice["recommendation"] == answer["recommendation"]


def test_products_of_the_customers_own_are_found_again(client: TestClient, shoppers: dict[str, Any]) -> None:
    for customer_id, lines in list(shoppers.items())[:20]:
        answer = client.post("/segment", json=by_transactions(*lines, customer_id=customer_id)).json()
        own = answer["recommendation"]
        assert client.get(f"/customers/{customer_id}").json() == {**answer, "ignored": {}}
        assert client.get(f"/customers/{customer_id}/recommendations").json()["recommendation"] == own
        popular = client.get(f"/segments/{answer['segment']['id']}/recommendations").json()["recommendation"]
        assert own["products"] != popular["products"]
        assert own["products"] == [one["product"] for one in own["offers"]]


def test_an_earlier_models_answer_is_told_as_it_was_given(
    store_url: str, published: Published, own_models_dir: Path
) -> None:
    with serving(settings_for(store_url, own_models_dir)) as client:
        answer = client.post("/segment", json=by_features()).json()
        client.post(f"/models/{published.second}/activate")
        assert client.get("/customers/17850").json() == answer
        assert client.get("/customers/17850/recommendations").json()["model_version"] == published.second


def test_without_its_model_the_stored_answer_comes_without_reasons(
    store_url: str, published: Published, own_models_dir: Path
) -> None:
    with serving(settings_for(store_url, own_models_dir)) as client:
        answer = client.post("/segment", json=by_features()).json()
    shutil.rmtree(own_models_dir / published.first)
    Registry(own_models_dir).activate(published.second)
    with serving(settings_for(store_url, own_models_dir)) as client:
        until(lambda: client.get("/health/ready").status_code == 200)
        kept = client.get("/customers/17850").json()
    unknown = dict.fromkeys(("margin", "decays_on", "becomes", "next_segment", "recommendation"))
    bare = {**answer, **unknown, "reasons": [], "contributions": {}, "membership": answer["membership"][:1]}
    assert kept == bare
    assert kept["membership"][0]["share"] == answer["confidence"]


def test_the_export_has_everything_that_is_stored(client: TestClient, shoppers: dict[str, Any]) -> None:
    customer_id, lines = next(iter(shoppers.items()))
    first = client.post("/segment", json=by_transactions(*lines, customer_id=customer_id)).json()
    second = client.post("/segment", json=by_features(customer_id)).json()
    response = client.get(f"/customers/{customer_id}/export")
    assert response.headers["content-disposition"] == 'attachment; filename="customer.json"'
    told = response.json()
    assert list(told) == ["customer_id", "exported_at", "suppressed_at", "current", "audit", "answers"]
    assert (told["customer_id"], told["suppressed_at"], told["audit"]) == (customer_id, None, [])
    assert set(told["current"]) == {column.name for column in customers.c}
    assert [one["id"] for one in told["answers"]] == [first["assignment_id"], second["assignment_id"]]
    assert set(told["answers"][0]) == set(Assignment._fields)
    assert told["answers"][0]["features"] == first["features"]
    assert [one["product"] for one in told["answers"][0]["products"]] == first["recommendation"]["products"]
    assert told["answers"][1]["products"] is None
    assert [one["what"] for one in client.get(f"/customers/{customer_id}/export").json()["audit"]] == [
        "customer.exported"
    ]


def test_a_long_history_is_exported_whole(client: TestClient) -> None:
    sent = [by_features("1", monetary=float(number)) for number in range(2_500)]
    assert client.post("/segment/batch", json=sent).status_code == 200
    told = client.get("/customers/1/export").json()
    assert [one["features"]["monetary"] for one in told["answers"]] == [float(number) for number in range(2_500)]


def test_an_erased_customer_is_unknown_and_may_be_assigned_again(client: TestClient) -> None:
    for _ in range(3):
        client.post("/segment", json=by_features("a/b"))
    client.post("/segment", json=by_features("2"))
    assert client.delete("/customers/a/b").json() == {"answers": 3, "current": 1, "replays": 0, "suppressed": False}
    assert client.delete("/customers/a%2Fb").json() == {"answers": 0, "current": 0, "replays": 0, "suppressed": False}
    assert client.get("/customers/a/b").status_code == 404
    assert client.get("/customers/a/b/history").status_code == 404
    acts = client.get("/customers/a/b/export").json()["audit"]
    assert [(one["what"], one["who"]) for one in acts] == [("customer.erased", "anyone")] * 2
    assert client.get("/customers/2").status_code == 200
    assert client.post("/segment", json=by_features("a/b")).status_code == 200


@pytest.mark.parametrize("suppress", [False, True])
def test_no_table_has_anything_of_an_erased_customer(
    client: TestClient, store_url: str, shoppers: dict[str, Any], suppress: bool
) -> None:
    sent = by_transactions(*next(iter(shoppers.values())), customer_id=NAMED)
    for number, (address, body) in enumerate([("/segment", sent), ("/segment/batch", [sent, by_features("2")])] * 2):
        assert client.post(address, json=body, headers={"idempotency-key": f"key-{number % 2}"}).status_code == 200
    assert NAMED in everything(store_url)
    assert client.delete(f"/customers/{NAMED}?suppress={suppress}").json()["answers"] >= 2
    engine = open_engine(store_url)
    PersonalData(engine).list_after(None, NOW + 2 * GUARDED)  # by then the database need not refuse by itself
    engine.dispose()
    assert NAMED not in everything(store_url)


def everything(url: str) -> str:
    """All rows of all tables."""
    engine = open_engine(url)
    with engine.connect() as connection:
        rows = [repr(connection.execute(sa.select(table)).all()) for table in metadata.sorted_tables]
    engine.dispose()
    return "\n".join(rows)


def test_a_suppressed_customers_export_says_since_when(client: TestClient) -> None:
    client.delete("/customers/1?suppress=true")
    told = client.get("/customers/1/export").json()
    assert (told["suppressed_at"], told["current"], told["answers"]) == ("2011-12-10T09:30:00Z", None, [])


@pytest.mark.parametrize("last", ["history", "recommendations", "export"])
def test_an_id_that_ends_like_a_call_is_asked_for_with_its_slash_encoded(client: TestClient, last: str) -> None:
    for one in ("a", f"a/{last}", last):
        assert client.post("/segment", json=by_features(one)).status_code == 200
    assert client.get(f"/customers/a%2F{last}").json()["customer_id"] == f"a/{last}"
    assert client.get(f"/customers/a%2f{last}/history").json()["customer_id"] == f"a/{last}"
    assert client.get(f"/customers/{last}").json()["customer_id"] == last
    assert client.get(f"/customers/a/{last}").json()["customer_id"] == "a"
    assert client.post(f"/customers/{last}").headers["allow"] == "DELETE, GET"
    refused = client.delete(f"/customers/a/{last}")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    assert client.delete(f"/customers/a%2F{last}").json()["answers"] == 1
    assert client.get("/customers/a").status_code == 200
