"""POST /segment/batch."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.features import FEATURE, LARGEST
from models.model import SegmentationModel
from service.batch import PART
from service.store.database import open_engine
from tests.service.requests import AS_OF, FEATURES, by_features, by_transactions, line
from tests.service.serving import TestClient
from tests.service.stored import drop_tables


def batch(client: TestClient, items: Sequence[Any]) -> dict[str, Any]:
    response = client.post("/segment/batch", json=items)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    assert found["assigned"] + found["failed"] == len(found["results"]) == len(items)
    assert [result["index"] for result in found["results"]] == list(range(len(items)))
    return found


def but_for_its_id(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "assignment_id"}


def test_a_bad_item_fails_alone_and_the_others_keep_their_order(client: TestClient) -> None:
    found = batch(
        client,
        [
            by_features("1"),
            by_features("2", frequency=-1),
            by_transactions(line(), customer_id="3"),
            by_transactions(line(invoice_date="2011-12-11"), customer_id="4"),
            "not a customer",
            by_features("6", as_of="2012-12-01"),
            by_features("7"),
        ],
    )
    assert (found["assigned"], found["failed"]) == (3, 4)
    answers = {one["index"]: one["answer"]["customer_id"] for one in found["results"] if "answer" in one}
    assert answers == {0: "1", 2: "3", 6: "7"}
    problems = {one["index"]: one["problem"] for one in found["results"] if "problem" in one}
    assert {problem["status"] for problem in problems.values()} == {422}
    assert {problem["type"] for problem in problems.values()} == {"urn:segmentation:problem:invalid-request"}
    assert len({problem["request_id"] for problem in problems.values()}) == 1  # the request's own
    faults = {index: problem["errors"][0] for index, problem in problems.items()}
    assert faults[1] == {"pointer": "/features/frequency", "detail": "is -1, and must be at least 1"}
    assert faults[3]["pointer"] == "/transactions"
    assert faults[4] == {"pointer": "", "detail": 'is "not a customer", and must be an object'}
    assert faults[5]["pointer"] == "/as_of"
    for customer_id, status in (("1", 200), ("2", 404), ("3", 200), ("4", 404), ("6", 404), ("7", 200)):
        assert client.get(f"/customers/{customer_id}").status_code == status


def test_values_json_does_not_know_fail_alone_too(client: TestClient) -> None:
    bad = json.dumps(by_features("2", recency=0.125)).replace("0.125", "NaN")
    items = [json.dumps(by_features("1", monetary=0.1 + 0.2)), bad, json.dumps(by_features("3"))]
    response = client.post("/segment/batch", content=f"[{','.join(items)}]")
    first, second, third = response.json()["results"]
    assert first["answer"]["features"]["monetary"] == 0.1 + 0.2
    assert second["problem"]["errors"][0]["detail"] == "is NaN, and must be a finite number"
    assert third["answer"]["customer_id"] == "3"


def test_an_item_with_thousands_of_faults_tells_the_first_and_that_there_are_more(client: TestClient) -> None:
    found = batch(client, [by_transactions(*[line(quantity="x")] * 2_000), by_features()])
    errors = found["results"][0]["problem"]["errors"]
    assert len(errors) == 21
    assert errors[-1]["detail"] == "and more; correct these first"
    assert found["assigned"] == 1


def test_an_empty_list_is_answered_with_an_empty_list(client: TestClient) -> None:
    assert batch(client, []) == {"assigned": 0, "failed": 0, "results": []}


def test_only_bad_items_store_nothing_and_fail_each(client: TestClient) -> None:
    assert batch(client, [{}, 1, None])["failed"] == 3


def test_more_items_than_a_batch_may_have_are_refused_whole(shared_client: TestClient) -> None:
    response = shared_client.post("/segment/batch", json=[by_features(f"many-{index}") for index in range(10_001)])
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"pointer": "", "detail": "the batch has more than 10,000 customers; send it in parts, or as a stream"}
    ]
    assert shared_client.get("/customers/many-0").status_code == 404


def test_a_batch_as_large_as_it_may_be_is_stored_whole(client: TestClient) -> None:
    found = batch(client, [by_features(f"{index:05}") for index in range(10_000)])
    assert found["assigned"] == 10_000
    segment = found["results"][0]["answer"]["segment"]
    assert client.get(f"/segments/{segment['id']}/customers?limit=1").json()["total"] == 10_000


def test_an_object_is_no_batch(shared_client: TestClient) -> None:
    response = shared_client.post("/segment/batch", json=by_features())
    assert response.status_code == 422
    assert "must be a list" in response.json()["detail"]


def test_one_customer_several_times_in_a_batch_is_answered_each_time(client: TestClient) -> None:
    moments = ["2011-12-01", "2011-12-03", "2011-12-03", "2011-12-02"]
    sent = [by_features("17850", as_of=moment, monetary=100.0 + index) for index, moment in enumerate(moments)]
    found = batch(client, sent)
    assert found["assigned"] == 4
    answers = [one["answer"] for one in found["results"]]
    # The newest moment counts, and of equal ones the later item.
    assert client.get("/customers/17850").json() == answers[2]
    history = client.get("/customers/17850/history").json()["answers"]
    assert [one["assignment_id"] for one in history] == [one["assignment_id"] for one in reversed(answers)]


def test_a_batch_of_a_thousand_equals_a_thousand_single_calls(
    shared_client: TestClient, model: SegmentationModel
) -> None:
    rng = np.random.default_rng(7)
    known = np.array(model.reference.values)
    values = known[rng.integers(len(known), size=1_000)] * rng.uniform(0.5, 1.5, size=(1_000, 1))
    values[:, model.features.index("frequency")] = rng.integers(1, 40, size=1_000)
    values = np.maximum(values, [FEATURE[name].low for name in model.features])
    sent = [
        {"customer_id": str(index), "features": dict(zip(model.features, row, strict=True)), "as_of": AS_OF}
        for index, row in enumerate(values.tolist())
    ]
    together = [but_for_its_id(one["answer"]) for one in batch(shared_client, sent)["results"]]
    alone = [but_for_its_id(shared_client.post("/segment", json=one).json()) for one in sent]
    assert together == alone
    assert {one["segment"]["id"] for one in together} == set(model.scorer.arrays.segment_ids)


def test_a_batch_by_transactions_equals_single_calls(client: TestClient, shoppers: dict[str, Any]) -> None:
    sent = [by_transactions(*lines, customer_id=name) for name, lines in list(shoppers.items())[:40]]
    together = [but_for_its_id(one["answer"]) for one in batch(client, sent)["results"]]
    assert together == [but_for_its_id(client.post("/segment", json=one).json()) for one in sent]


def test_extreme_but_possible_values_are_answered(client: TestClient) -> None:
    extremes = [dict.fromkeys(FEATURES, LARGEST), {name: max(FEATURE[name].low, 0.0) for name in FEATURES}]
    found = batch(client, [{"customer_id": "1", "features": one, "as_of": AS_OF} for one in extremes])
    assert found["assigned"] == 2


REFUSE = {
    "postgresql": "ALTER TABLE assignments ADD CONSTRAINT refused CHECK (customer_id <> 'refused')",
    "sqlite": "CREATE TRIGGER refused BEFORE INSERT ON assignments WHEN NEW.customer_id = 'refused' "
    "BEGIN SELECT RAISE(ABORT, 'refused'); END",
}


def test_an_item_that_the_database_refuses_fails_alone_in_its_part(client: TestClient, store_url: str) -> None:
    engine = open_engine(store_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(REFUSE[engine.dialect.name])
    engine.dispose()
    items = [by_features(f"{index:04}") for index in range(PART + 20)]
    items[PART + 7]["customer_id"] = "refused"
    found = batch(client, items)
    assert found["failed"] == 1
    assert found["results"][PART + 7]["problem"]["type"] == "urn:segmentation:problem:row-refused"
    assert client.get(f"/customers/{PART + 6:04}").status_code == 200
    assert client.get(f"/customers/{PART + 8:04}").status_code == 200
    assert client.get("/customers/refused").status_code == 404


def test_a_batch_of_which_nothing_can_be_stored_is_told_to_come_back(client: TestClient, store_url: str) -> None:
    drop_tables(store_url)
    response = client.post("/segment/batch", json=[by_features("1"), by_features("2")])
    assert response.status_code == 503
    assert response.json()["type"] == "urn:segmentation:problem:store-unavailable"
    assert int(response.headers["retry-after"]) >= 1


def test_what_no_training_customer_had_is_told_in_a_batch_as_alone(client: TestClient) -> None:
    sent = [by_features("1", monetary=9e8), by_features("2", recency=4000, tenure=5000), by_features("3")]
    alone = [client.post("/segment", json=one).json()["outside_training"] for one in sent]
    assert alone[0]
    assert alone[1]
    assert [one["answer"]["outside_training"] for one in batch(client, sent)["results"]] == alone
