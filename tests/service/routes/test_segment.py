from datetime import timedelta
from typing import Any

import pytest

from service.store.database import open_engine
from service.store.reader import Reader
from tests.published import Published
from tests.service.requests import AS_OF, FEATURES, by_features, by_transactions, line
from tests.service.serving import NOW, TestClient

CONTRACT = {
    "assignment_id", "customer_id", "as_of", "model_version", "segment", "confidence", "runner_up", "reasons",
    "recommendation", "outside_training", "features", "ignored",
}  # fmt: skip
REASON = {"feature", "value", "segment_median", "base_median", "contribution", "says"}
RECOMMENDATION = {"goal", "action", "offer", "channel", "timing", "avoid", "contacts", "discount", "products"}


def answered(client: TestClient, request: dict[str, Any]) -> dict[str, Any]:
    response = client.post("/segment", json=request)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    return body


def test_an_answer_has_every_field_of_the_contract(client: TestClient, published: Published) -> None:
    answer = answered(client, by_features())
    assert set(answer) == CONTRACT
    assert len(answer["assignment_id"]) == 26
    assert answer["customer_id"] == "17850"
    assert answer["as_of"] == AS_OF
    assert answer["model_version"] == published.first
    assert set(answer["segment"]) == set(answer["runner_up"]) == {"id", "name"}
    assert answer["segment"] != answer["runner_up"]
    assert 0.5 <= answer["confidence"] <= 1
    assert 1 <= len(answer["reasons"]) <= 3
    for reason in answer["reasons"]:
        assert set(reason) == REASON
        assert reason["value"] == FEATURES[reason["feature"]]
    contributions = [reason["contribution"] for reason in answer["reasons"]]
    assert contributions == sorted(contributions, reverse=True)
    assert set(answer["recommendation"]) == RECOMMENDATION
    assert answer["features"] == FEATURES
    assert answer["ignored"] == {}


def test_the_answer_agrees_with_what_is_told_of_its_segment(client: TestClient) -> None:
    answer = answered(client, by_features())
    profile = client.get(f"/segments/{answer['segment']['id']}").json()
    assert profile["name"] == answer["segment"]["name"]
    for reason in answer["reasons"]:
        assert reason["segment_median"] == profile["features"][reason["feature"]]["median"]
    advice = client.get(f"/segments/{answer['segment']['id']}/recommendations").json()
    assert advice["recommendation"] == answer["recommendation"]
    assert answer["recommendation"]["products"] == [product["product"] for product in profile["products"]]


@pytest.mark.parametrize("request_body", [by_features(), by_transactions(line(), line(stock_code="22423"))])
def test_the_answer_is_found_again(client: TestClient, request_body: dict[str, Any]) -> None:
    answer = answered(client, request_body)
    assert client.get("/customers/17850").json() == answer

    [stored] = client.get("/customers/17850/history").json()["answers"]
    assert stored.pop("assigned_at") == "2011-12-10T09:30:00Z"
    assert stored == {name: answer[name] for name in stored}

    audience = client.get(f"/segments/{answer['segment']['id']}/customers").json()
    assert [one["assignment_id"] for one in audience["customers"]] == [answer["assignment_id"]]


def test_the_row_is_in_the_database_before_the_answer(client: TestClient, store_url: str) -> None:
    answer = answered(client, by_features())
    engine = open_engine(store_url)
    row = Reader(engine).find(answer["assignment_id"])
    engine.dispose()
    assert row is not None
    assert (row.customer_id, row.segment_id, row.confidence) == (
        "17850",
        answer["segment"]["id"],
        answer["confidence"],
    )
    assert row.feature_values == answer["features"]


def test_one_customer_has_one_id_however_it_is_written(client: TestClient) -> None:
    for written in ("17850", "17850.0", " 17850 ", 17850, 17850.0):
        assert answered(client, by_features(written))["customer_id"] == "17850"
    assert len(client.get("/customers/17850.0/history").json()["answers"]) == 5
    assert client.get("/customers/%2017850%20").json()["customer_id"] == "17850"


@pytest.mark.parametrize("customer_id", ["Åse & søn", "DE/123", "a?b#c%d", "x" * 256, "😀", "0017850", "-1"])
def test_an_id_of_any_printable_characters_is_kept_and_found(client: TestClient, customer_id: str) -> None:
    answer = answered(client, by_features(customer_id))
    assert answer["customer_id"] == customer_id
    address = client.base_url.copy_with(raw_path=b"/customers/" + percent_encoded(customer_id))
    assert client.get(address).json() == answer
    history = client.get(address.copy_with(raw_path=address.raw_path + b"/history")).json()
    assert [one["assignment_id"] for one in history["answers"]] == [answer["assignment_id"]]


def percent_encoded(text: str) -> bytes:
    return "".join(f"%{byte:02X}" for byte in text.encode()).encode()


def test_as_of_is_now_unless_it_is_sent(client: TestClient) -> None:
    assert answered(client, by_features(as_of=None))["as_of"] == "2011-12-10T09:30:00Z"


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("2011-12-09T12:50:00", "2011-12-09T12:50:00Z"),
        ("2011-12-09T12:50:00+05:30", "2011-12-09T07:20:00Z"),
        ("2011-12-09", "2011-12-09T00:00:00Z"),
        ("2011-12-09T12:50:00.123456Z", "2011-12-09T12:50:00.123456Z"),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(client: TestClient, sent: str, meant: str) -> None:
    answer = answered(client, by_features(as_of=sent))
    assert answer["as_of"] == meant
    assert client.get("/customers/17850").json() == answer
    assert client.get("/customers/17850/history").json()["answers"][0]["as_of"] == meant


def test_a_day_ahead_is_another_time_zone_and_more_is_the_future(client: TestClient) -> None:
    answered(client, by_features(as_of=(NOW + timedelta(days=1)).isoformat()))
    response = client.post("/segment", json=by_features(as_of=(NOW + timedelta(days=1, seconds=1)).isoformat()))
    assert response.status_code == 422
    [fault] = response.json()["errors"]
    assert fault["pointer"] == "/as_of"
    assert "2011-12-11" in fault["detail"]


def test_features_made_from_transactions_can_be_sent_instead(client: TestClient, shoppers: dict[str, Any]) -> None:
    for customer_id, lines in list(shoppers.items())[:40]:
        made = answered(client, by_transactions(*lines, customer_id=customer_id))
        sent = answered(client, {"customer_id": customer_id, "features": made["features"], "as_of": made["as_of"]})
        apart = {"assignment_id", "ignored"}
        assert {name: sent[name] for name in CONTRACT - apart} == {name: made[name] for name in CONTRACT - apart}


def test_cleaning_leaves_out_and_counts_what_is_no_purchase(client: TestClient) -> None:
    answer = answered(
        client,
        by_transactions(
            line(),
            line(),
            line(
                invoice_no="536400", stock_code="22423", quantity=2, unit_price=10, invoice_date="2011-12-05T10:00:00"
            ),
            line(invoice_no="C536401", stock_code="22423", quantity=-2, unit_price=10, invoice_date="2011-12-06"),
            line(invoice_no="A536402", stock_code="B", unit_price=50),
            line(stock_code="POST", unit_price=18),
            line(stock_code="22424", unit_price=0),
            line(stock_code="22425", invoice_date="2011-12-10T00:00:01Z"),
        ),
    )
    assert answer["ignored"] == {
        "duplicate": 1, "adjustment": 1, "non_product": 1, "price_not_positive": 1, "after_as_of": 1,
    }  # fmt: skip
    features = answer["features"]
    # What was bought and fully cancelled makes no order, but counts as bought and as returned.
    assert features["frequency"] == 1
    assert features["monetary"] == pytest.approx(6 * 2.55)
    assert features["return_rate"] == pytest.approx(20 / (20 + 6 * 2.55))
    assert features["recency"] == features["tenure"] == pytest.approx(8 + (15 * 60 + 34) / 1440)
    assert features["distinct_products"] == 1
    assert features["main_country"] == "United Kingdom"
    assert client.get("/customers/17850").json() == {**answer, "ignored": {}}


def test_two_equal_lines_without_an_invoice_number_are_two_purchases(client: TestClient) -> None:
    answer = answered(client, by_transactions(line(invoice_no=None), line(invoice_no=None)))
    assert answer["ignored"] == {}
    assert answer["features"]["monetary"] == pytest.approx(2 * 6 * 2.55)


def test_a_value_beyond_the_training_data_is_flagged_and_answered(client: TestClient) -> None:
    answer = answered(client, by_features(monetary=5e8))
    [outside] = answer["outside_training"]
    assert (outside["feature"], outside["value"]) == ("monetary", 5e8)
    assert outside["low"] < outside["high"] < 5e8


def test_features_that_only_describe_are_stored_and_decide_nothing(client: TestClient) -> None:
    plain = answered(client, by_features())
    more = answered(client, by_features(return_rate=0.25, main_country="France"))
    assert more["features"] == {**FEATURES, "return_rate": 0.25, "main_country": "France"}
    assert (more["segment"], more["confidence"]) == (plain["segment"], plain["confidence"])
    assert client.get("/customers/17850").json() == more


def test_the_newest_as_of_is_the_current_answer_whatever_came_last(client: TestClient) -> None:
    answered(client, by_features(as_of="2011-11-01"))
    newest = answered(client, by_features(as_of="2011-12-01"))
    answered(client, by_features(as_of="2011-10-01"))
    assert client.get("/customers/17850").json() == newest
    times = [one["as_of"][:7] for one in client.get("/customers/17850/history").json()["answers"]]
    assert times == ["2011-10", "2011-12", "2011-11"]
