"""A batch under an Idempotency-Key is stored once, however often it is sent."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from models.registry import Registry
from service.batch import PART
from service.forms.form import Form
from service.store.database import open_engine
from service.store.schema import assignments, batches
from service.store.ulid import number_of
from tests.published import Published
from tests.service.forms.sent import GOOD_AND_BAD, SENT, answered, as_ndjson, post
from tests.service.forms.test_forms import rows_stored
from tests.service.requests import by_features, by_transactions, line
from tests.service.serving import NOW, TestClient, serving, settings_for

ITEMS = [
    *GOOD_AND_BAD,
    by_transactions(line(), line(stock_code="POST"), line(invoice_date="2011-11-01T08:00:00Z"), customer_id="buyer"),
    by_features("now", as_of=None),
]


def results(client: TestClient, items: Any, key: str, **headers: str) -> list[dict[str, Any]]:
    response = post(client, Form.NDJSON, as_ndjson(items), Form.NDJSON, idempotency_key=key, **headers)
    assert response.status_code == 200, response.text
    found = [json.loads(line) for line in response.text.splitlines()]
    for one in found:
        one.get("problem", {}).pop("request_id", None)
    return found


def test_the_same_batch_is_answered_the_same_and_stored_once(client: TestClient, store_url: str) -> None:
    first = results(client, ITEMS, "night")
    stored = rows_stored(store_url)
    assert stored == sum("answer" in one for one in first) == 6
    assert results(client, ITEMS, "night") == first
    assert rows_stored(store_url) == stored
    assert next(one for one in first if one["index"] == 8)["answer"]["ignored"] == {"non_product": 1}


@pytest.mark.parametrize("accept", list(Form))
@pytest.mark.parametrize("sent", SENT)
def test_the_form_may_be_another_one_the_second_time(shared_client: TestClient, sent: str, accept: Form) -> None:
    key = f"{sent}{accept}".replace(" ", "-")
    first = answered(post(shared_client, sent, SENT[sent][1](GOOD_AND_BAD), accept, idempotency_key=key))
    again = answered(post(shared_client, "list", SENT["list"][1](GOOD_AND_BAD), idempotency_key=key))
    assert again == first
    by_sent = answered(post(shared_client, sent, SENT[sent][1](GOOD_AND_BAD), accept, idempotency_key=key))
    assert by_sent == first


def test_ids_follow_the_places_and_what_was_not_stored_is_stored_the_second_time(
    client: TestClient, store_url: str
) -> None:
    items = [by_features(str(index)) for index in range(PART + 5)]
    begun = results(client, items[:3], "halfway")
    whole = results(client, items, "halfway")
    assert whole[:3] == begun
    ids = [number_of(one["answer"]["assignment_id"]) for one in whole]
    assert ids == list(range(ids[0], ids[0] + len(items)))
    assert rows_stored(store_url) == len(items)


def test_other_keys_are_other_batches(client: TestClient, store_url: str) -> None:
    one, other = results(client, ITEMS, "one"), results(client, ITEMS, "other")
    assert rows_stored(store_url) == 12
    ids = [{one["answer"]["assignment_id"] for one in found if "answer" in one} for found in (one, other)]
    assert not ids[0] & ids[1]


def test_another_customer_in_a_place_that_is_stored_is_refused_alone(client: TestClient, store_url: str) -> None:
    results(client, [by_features("1"), by_features("2"), by_features("3")], "reused")
    found = results(client, [by_features("1"), by_features("zwei"), by_features("3", frequency=-1)], "reused")
    assert "answer" in found[0]
    for one in found[1:]:
        assert one["problem"]["type"] == "urn:segmentation:problem:idempotency-key-reused"
        assert one["problem"]["status"] == 422
    assert rows_stored(store_url) == 3


def test_the_moment_stays_that_of_the_first_time(store_url: str, models_dir: Path) -> None:
    moments = [NOW, NOW + timedelta(hours=5), NOW + timedelta(hours=30)]
    answers = []
    for moment in moments:
        with serving(settings_for(store_url, models_dir), lambda moment=moment: moment) as client:  # type: ignore[misc]
            answers.append(results(client, [by_features("1", as_of=None)], "moment")[0]["answer"])
    assert answers[0] == answers[1]
    assert answers[0]["as_of"] == "2011-12-10T09:30:00Z"
    # A day later the key is forgotten.
    assert answers[2]["as_of"] == "2011-12-11T15:30:00Z"
    engine = open_engine(store_url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(batches)).scalar_one() == 1
    engine.dispose()


def test_answers_of_the_model_before_are_given_by_that_model(
    store_url: str, own_models_dir: Path, published: Published
) -> None:
    with serving(settings_for(store_url, own_models_dir)) as client:
        first = results(client, [by_features("1"), by_features("2")], "models")
        assert client.post(f"/models/{published.second}/activate").status_code == 200
        again = results(client, [by_features("1"), by_features("2"), by_features("3")], "models")
        assert again[:2] == first
        assert again[2]["answer"]["model_version"] == published.second


def test_answers_of_a_model_that_is_gone_say_so(store_url: str, own_models_dir: Path, published: Published) -> None:
    with serving(settings_for(store_url, own_models_dir)) as client:
        results(client, [by_features("1")], "gone")
    Registry(own_models_dir).activate(published.second)
    (own_models_dir / published.first).rename(own_models_dir.parent / "gone")
    with serving(settings_for(store_url, own_models_dir)) as client:
        (found,) = results(client, [by_features("1")], "gone")
    assert found["problem"]["type"] == "urn:segmentation:problem:unknown-model"
    assert published.first in found["problem"]["detail"]
    assert rows_stored(store_url) == 1


def test_a_key_under_way_is_not_given_out_again(shared_client: TestClient) -> None:
    keyed = shared_client.app.state.service.keyed  # type: ignore[attr-defined]
    with keyed.held("busy"):
        response = post(shared_client, "list", b"[]", idempotency_key="busy")
        assert response.status_code == 409
        assert response.json()["type"] == "urn:segmentation:problem:batch-in-progress"
    assert post(shared_client, "list", b"[]", idempotency_key="busy").status_code == 200


@pytest.mark.parametrize("key", ["", "a b", "ä".encode(), "x" * 256, "tab\t"])
def test_a_key_that_is_none_is_refused(shared_client: TestClient, key: str | bytes) -> None:
    headers = {
        b"content-type": b"application/json",
        b"idempotency-key": key if isinstance(key, bytes) else key.encode(),
    }
    response = shared_client.post("/segment/batch", content=b"[]", headers=headers)
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "Idempotency-Key"


def test_the_key_is_free_again_after_whatever_ended_the_batch(shared_client: TestClient) -> None:
    assert post(shared_client, "list", b"no list", idempotency_key="mended").status_code == 422
    assert post(shared_client, Form.ARROW, b"no arrow", idempotency_key="mended").status_code == 422
    assert len(results(shared_client, [by_features()], "mended")) == 1


def test_a_dry_run_begins_no_batch(client: TestClient, store_url: str) -> None:
    found = results(client, [by_features("1", as_of=None)], "dry", query="?dry_run=true")
    assert found[0]["answer"]["assignment_id"] is None
    assert rows_stored(store_url) == 0
    engine = open_engine(store_url)
    with engine.connect() as connection:
        assert connection.execute(sa.select(batches)).all() == []
        assert connection.execute(sa.select(assignments)).all() == []
    engine.dispose()
