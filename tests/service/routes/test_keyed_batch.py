"""A batch under an Idempotency-Key is stored once, however often it is sent."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from models.registry import Registry
from service.batch import PART
from service.forms.form import Form
from service.store.database import open_engine
from service.store.schema import assignments, idempotency_keys
from service.store.ulid import number_of
from tests.published import Published
from tests.service.forms.sent import GOOD_AND_BAD, SENT, answered, as_ndjson, post
from tests.service.forms.test_forms import rows_stored
from tests.service.requests import by_features, by_transactions, line
from tests.service.server import server
from tests.service.serving import NOW, TestClient, serving, settings_for
from tests.service.stream_client import stream

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
def test_the_answer_is_the_same_to_the_byte_in_every_form(shared_client: TestClient, sent: str, accept: Form) -> None:
    key, body = f"{sent}{accept}".replace(" ", "-"), SENT[sent][1](GOOD_AND_BAD)
    first, again = (post(shared_client, sent, body, accept, idempotency_key=key) for _ in range(2))
    assert first.status_code == 200
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    # The same may be asked for in another form.
    assert answered(post(shared_client, sent, body, Form.JSON, idempotency_key=key)) == answered(first)


@pytest.mark.parametrize("sent", SENT)
def test_what_was_left_out_of_transactions_is_told_again(shared_client: TestClient, sent: str) -> None:
    items = [by_transactions(line(), line(stock_code="POST"), customer_id=name) for name in ("1", "2")]
    key, body = f"transactions {sent}".replace(" ", "-"), SENT[sent][1](items)
    first, again = (post(shared_client, sent, body, Form.NDJSON, idempotency_key=key) for _ in range(2))
    assert again.content == first.content
    assert first.content.count(b'"ignored":{"non_product":1}') == 2


@pytest.mark.parametrize("sent", SENT)
def test_another_body_is_refused_as_a_whole(client: TestClient, store_url: str, sent: str) -> None:
    bodies = [[by_features("1"), by_features("2")], [by_features("1"), by_features("2", frequency=1.0)]]
    bodies += [[by_features("1"), by_features("zwei")], [by_features("1"), by_features("2"), by_features("3")]]
    first = post(client, sent, SENT[sent][1](bodies[0]), idempotency_key="other")
    for other in bodies[1:]:
        refused = post(client, sent, SENT[sent][1](other), idempotency_key="other")
        assert refused.status_code == 422
        assert refused.json()["type"] == "urn:segmentation:problem:idempotency-key-reused"
    assert post(client, sent, SENT[sent][1](bodies[0]), idempotency_key="other").content == first.content
    assert rows_stored(store_url) == 2


def test_a_stream_that_ends_otherwise_says_so_last(client: TestClient, store_url: str) -> None:
    items = [by_features("1"), by_features("2")]
    results(client, items, "ends")
    *others, last = results(client, items[:1], "ends")
    assert [one["answer"]["customer_id"] for one in others] == ["1"]
    assert last["problem"]["type"] == "urn:segmentation:problem:idempotency-key-reused"
    assert rows_stored(store_url) == 2


def interrupt(url: str) -> None:
    """Has all batches be as a process leaves them that is killed once everything is stored."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(idempotency_keys.update().values(status=None, body_digest=None))
    engine.dispose()


def test_ids_follow_the_places_and_what_was_not_stored_is_stored_the_second_time(
    client: TestClient, store_url: str
) -> None:
    items = [by_features(str(index)) for index in range(PART + 5)]
    begun = results(client, items[:3], "halfway")
    interrupt(store_url)
    whole = results(client, items, "halfway")
    assert whole[:3] == begun
    ids = [number_of(one["answer"]["assignment_id"]) for one in whole]
    assert ids == list(range(ids[0], ids[0] + len(items)))
    assert rows_stored(store_url) == len(items)


@pytest.mark.parametrize("sent", SENT)
def test_a_batch_that_goes_on_is_answered_as_if_nothing_had_been(client: TestClient, store_url: str, sent: str) -> None:
    body = SENT[sent][1](GOOD_AND_BAD)
    first = post(client, sent, body, idempotency_key="on")
    interrupt(store_url)
    again = post(client, sent, body, idempotency_key="on")
    assert again.content == first.content
    assert "idempotency-replayed" not in again.headers
    assert rows_stored(store_url) == 4


def test_other_keys_are_other_batches(client: TestClient, store_url: str) -> None:
    one, other = results(client, ITEMS, "one"), results(client, ITEMS, "other")
    assert rows_stored(store_url) == 12
    ids = [{one["answer"]["assignment_id"] for one in found if "answer" in one} for found in (one, other)]
    assert not ids[0] & ids[1]


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
        assert connection.execute(sa.select(sa.func.count()).select_from(idempotency_keys)).scalar_one() == 1
    engine.dispose()


def test_a_batch_is_of_one_model_whichever_is_active_when_it_goes_on(
    store_url: str, own_models_dir: Path, published: Published
) -> None:
    items = [*ITEMS, by_features("more")]
    with serving(settings_for(store_url, own_models_dir)) as client:
        first = results(client, items, "models")
        with_more = results(client, items[:-1], "stopped")
        interrupt(store_url)
        assert client.post(f"/models/{published.second}/activate").status_code == 200
        assert results(client, items, "models") == first
        again = results(client, items, "stopped")
    assert again[:-1] == with_more
    assert again[-1]["answer"]["model_version"] == published.first
    assert again[8]["answer"]["ignored"] == {"non_product": 1}


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


def test_a_batch_under_way_in_another_process_is_not_begun_again(store_url: str, models_dir: Path) -> None:
    settings = {"database_url": store_url, "models_dir": models_dir}
    headers = {"content-type": Form.NDJSON, "idempotency-key": "busy"}
    with server(**settings) as one, server(**settings) as other:
        with stream(one.url, Form.NDJSON, Idempotency_Key="busy") as client:
            lines = client.lines()
            client.send(as_ndjson([by_features("1")]))
            first = next(lines)  # it is stored, and the end has not come yet
            for running in (one, other):
                response = httpx.post(f"{running.url}/segment/batch", content=b"", headers=headers, timeout=60)
                assert response.status_code == 409
                assert response.json()["type"] == "urn:segmentation:problem:batch-in-progress"
                assert int(response.headers["retry-after"]) >= 1
            client.send(b"")
            assert list(lines) == []
        body = as_ndjson([by_features("1")])
        again = httpx.post(f"{other.url}/segment/batch", content=body, headers=headers, timeout=60)
    assert again.content == first
    assert rows_stored(store_url) == 1


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
        assert connection.execute(sa.select(idempotency_keys)).all() == []
        assert connection.execute(sa.select(assignments)).all() == []
    engine.dispose()
