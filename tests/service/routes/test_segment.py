from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.affinity import ProductAffinities
from models.artifact import PRODUCTS
from models.holdout import held_out
from models.model import SegmentationModel
from models.product_arrays import REPEAT_SHARE
from service.answer import AnswerRecord
from service.store.database import open_engine
from service.store.reader import Reader
from tests.published import Published
from tests.service.requests import AS_OF, FEATURES, by_features, by_transactions, line
from tests.service.serving import NOW, TestClient, serving, settings_for

CONTRACT = {
    "assignment_id", "customer_id", "as_of", "model_version", "segment", "confidence", "runner_up", "membership",
    "reasons", "contributions", "margin", "decays_on", "becomes", "next_segment", "outside_training", "recommendation",
    "features", "ignored",
}  # fmt: skip
REASON = {"feature", "value", "segment_median", "base_median", "contribution", "says"}
RECOMMENDATION = {
    "goal", "action", "offer", "channel", "timing", "avoid", "contacts", "discount", "discount_most_percent",
    "held_out", "detectable_uplift", "products", "offers",
}  # fmt: skip
OFFER = {"product", "description", "kind", "why", "chance"}


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
    assert 0 <= answer["confidence"] <= 1
    assert 1 <= len(answer["reasons"]) <= 3
    for reason in answer["reasons"]:
        assert set(reason) == REASON
        assert reason["value"] == FEATURES[reason["feature"]]
    contributions = [reason["contribution"] for reason in answer["reasons"]]
    assert contributions == sorted(contributions, reverse=True)
    assert set(answer["recommendation"]) == RECOMMENDATION
    assert [set(offer) for offer in answer["recommendation"]["offers"]] == [OFFER] * 10
    assert answer["decays_on"] > AS_OF[:10]
    assert set(answer["becomes"]) == {"id", "name"}
    assert set(answer["next_segment"]) == {"by_orders", "by_spend"}
    assert AnswerRecord.model_validate(answer).model_dump(mode="json") == answer
    assert answer["features"] == FEATURES
    assert answer["ignored"] == {}


def test_the_answer_agrees_with_what_is_told_of_its_segment(client: TestClient) -> None:
    answer = answered(client, by_features())
    profile = client.get(f"/segments/{answer['segment']['id']}").json()
    assert profile["name"] == answer["segment"]["name"]
    for reason in answer["reasons"]:
        assert reason["segment_median"] == profile["features"][reason["feature"]]["median"]
    advice = client.get(f"/segments/{answer['segment']['id']}/recommendations").json()
    own = {"held_out", "discount_most_percent"}
    shared = {name: value for name, value in answer["recommendation"].items() if name not in own}
    assert advice["recommendation"] == shared
    assert shared["products"] == [offer["product"] for offer in shared["offers"]]


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
        own = {name: made["recommendation"].pop(name) for name in ("products", "offers")}
        assert own != {name: sent["recommendation"].pop(name) for name in own}
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


@pytest.fixture
def years_later(sqlite_url: str, models_dir: Path) -> Iterator[TestClient]:
    """A client of a service whose clock is so late that a customer's future has come."""
    with serving(settings_for(sqlite_url, models_dir), lambda: NOW + timedelta(days=2_000)) as client:
        yield client


def test_a_customer_who_buys_nothing_is_in_the_segment_up_to_the_day_told_and_in_the_other_then(
    years_later: TestClient, shoppers: dict[str, Any]
) -> None:
    told = 0
    for customer_id, lines in list(shoppers.items())[:60]:
        moment = NOW
        answer = answered(years_later, by_transactions(*lines, customer_id=customer_id, as_of=moment.isoformat()))
        if answer["decays_on"] is None:
            assert answer["becomes"] is None
            moment += timedelta(days=1_090)
            last = answered(years_later, by_transactions(*lines, customer_id=customer_id, as_of=moment.isoformat()))
            assert last["segment"] == answer["segment"]
            continue
        told += 1
        day = datetime.combine(date.fromisoformat(answer["decays_on"]), time(), UTC)
        there = answered(years_later, by_transactions(*lines, customer_id=customer_id, as_of=day.isoformat()))
        assert there["segment"] == answer["becomes"] != answer["segment"]
        before = max(day - timedelta(days=1), moment)
        still = answered(years_later, by_transactions(*lines, customer_id=customer_id, as_of=before.isoformat()))
        assert still["segment"] == answer["segment"]
    assert told >= 10


def test_a_customer_who_buys_as_told_is_in_the_next_segment(client: TestClient, shoppers: dict[str, Any]) -> None:
    told = {"by_orders": 0, "by_spend": 0}
    for lines in list(shoppers.values())[:60]:
        answer = answered(client, by_transactions(*lines))
        product = next(one["stock_code"] for one in lines if one["stock_code"] in bought_by(lines))
        for way, step in (answer["next_segment"] or {}).items():
            if step is None:
                continue
            told[way] += 1
            orders, worth = step.get("orders", 1), step.get("order_value") or step["spend"]
            more = [
                line(invoice_no=f"9{number}", stock_code=product, quantity=1, unit_price=worth, invoice_date=AS_OF)
                for number in range(orders)
            ]
            assert answered(client, by_transactions(*lines, *more))["segment"] == step["segment"]
            if orders > 1:
                assert answered(client, by_transactions(*lines, *more[1:]))["segment"] != step["segment"]
    assert min(told.values()) >= 10


def bought_by(lines: list[dict[str, Any]]) -> Mapping[str, set[str]]:
    """The orders of each product that was bought and not returned since."""
    orders: dict[str, set[str]] = defaultdict(set)
    returned = {one["stock_code"] for one in lines if one["quantity"] < 0}
    for one in lines:
        if one["quantity"] > 0 and one["unit_price"] > 0 and one["stock_code"] not in returned:
            orders[one["stock_code"]].add(one["invoice_no"])
    return orders


def test_what_was_bought_is_offered_again_only_where_people_buy_it_again(
    client: TestClient, shoppers: dict[str, Any], model: SegmentationModel, models_dir: Path
) -> None:
    mined = ProductAffinities.model_validate_json((models_dir / model.version / PRODUCTS).read_bytes())
    again = {
        product
        for product, buyers, repeated in zip(mined.products, mined.buyers, mined.repeat_buyers, strict=True)
        if repeated >= REPEAT_SHARE * buyers
    }
    kinds = set()
    for lines in list(shoppers.values())[:60]:
        bought = bought_by(lines)
        for offer in answered(client, by_transactions(*lines))["recommendation"]["offers"]:
            kinds.add(offer["kind"])
            if offer["product"] in bought:
                assert offer["kind"] == "repeat"
                assert offer["product"] in again or len(bought[offer["product"]]) >= 2
            if offer["kind"] != "popular":
                assert 0 <= offer["chance"] <= 1
    assert {"repeat", "bought_together"} <= kinds


def test_a_tenth_of_the_customers_is_held_out_whatever_is_asked_of_them(client: TestClient) -> None:
    ids = [str(number) for number in range(12_000, 12_300)]
    results = client.post("/segment/batch", json=[by_features(one) for one in ids]).json()["results"]
    kept = {one["answer"]["customer_id"]: one["answer"]["recommendation"]["held_out"] for one in results}
    assert kept == {one: held_out(one) for one in ids}
    assert 0.05 < sum(kept.values()) / len(kept) < 0.15
    for one in ids[:20]:
        later = answered(client, by_features(one, as_of="2011-12-09", monetary=9_000.0, frequency=40.0))
        assert later["recommendation"]["held_out"] == kept[one]


def test_a_dry_run_answers_the_same_and_stores_nothing(client: TestClient) -> None:
    stored = answered(client, by_features("kept"))
    response = client.post("/segment?dry_run=true", json=by_features("kept"))
    assert response.json() == stored | {"assignment_id": None}
    assert client.post("/segment?dry_run=true", json=by_features("dry")).status_code == 200
    assert client.get("/customers/dry").status_code == 404
    assert len(client.get("/customers/kept/history").json()["answers"]) == 1


@pytest.mark.parametrize(
    "body", [by_features(), by_transactions(line()), by_features(recency=-1), by_features(recency="late"), "no object"]
)
def test_past_the_router_and_through_it_the_answer_is_the_same(client: TestClient, body: Any) -> None:
    """A parameter that says what is so anyway sends the request the long way."""
    quick, long = (client.post(path, json=body) for path in ("/segment", "/segment?dry_run=false"))
    assert quick.status_code == long.status_code
    assert quick.headers["content-type"] == long.headers["content-type"]
    own = {"assignment_id", "request_id"}
    assert {name: value for name, value in quick.json().items() if name not in own} == {
        name: value for name, value in long.json().items() if name not in own
    }
