"""GET /customers/{id}…"""

import shutil
from pathlib import Path
from typing import Any

import pytest

from models.registry import Registry
from tests.published import Published
from tests.service.requests import by_features, by_transactions
from tests.service.serving import TestClient, serving, settings_for, until


@pytest.mark.parametrize("address", ["/customers/1", "/customers/1/history", "/customers/1/recommendations"])
def test_a_customer_without_an_answer_is_unknown(client: TestClient, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 404
    assert response.json()["type"] == "urn:segmentation:problem:unknown-customer"


@pytest.mark.parametrize("sent", ["%00", "%0A", "x" * 257, "%20", "%ED%A0%80%00"])
def test_an_id_nobody_can_have_is_refused(client: TestClient, sent: str) -> None:
    response = client.get(f"/customers/{sent}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "id"


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
