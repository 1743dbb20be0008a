"""A request becomes an answer: for any values a customer can have."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from models.features import FEATURE
from models.model import SegmentationModel
from models.playbook import Discount
from service.assigned import AdmittedCase, Assigned
from service.assigning import answer_json, assign, assign_many, case_of, recall
from service.errors import InvalidRequest
from service.request_decoder import RequestDecoder
from service.served_model import Limits, ServedModel
from service.store.ulid import UlidFactory
from tests.service.requests import AS_OF, by_features, by_transactions, line
from tests.service.serving import NOW

MOMENT = datetime.fromisoformat(AS_OF)
IDS = UlidFactory()


@pytest.fixture(scope="session")
def served(model: SegmentationModel) -> ServedModel:
    return ServedModel(model, None, Limits(batch=10_000, transactions=10_000))


def values(model: SegmentationModel) -> st.SearchStrategy[dict[str, Any]]:
    """Any values the model's features can have, those of real customers among them."""
    possible = {name: st.floats(FEATURE[name].low, FEATURE[name].high) for name in model.features}
    usual = {name: st.floats(*model.manifest.ranges[name]) for name in model.features}
    known = st.sampled_from(model.reference.values).map(lambda row: dict(zip(model.features, row, strict=True)))
    return st.one_of(st.fixed_dictionaries(possible), st.fixed_dictionaries(usual), known)


def decided(served: ServedModel, request: dict[str, Any]) -> Assigned:
    sent = served.decode(json.dumps(request).encode())
    return assign(AdmittedCase(case_of(sent, served, NOW)), served, IDS, NOW)


@given(data=st.data())
def test_the_membership_is_that_of_the_segment_and_the_runner_up(served: ServedModel, data: st.DataObject) -> None:
    features = data.draw(values(served.model))
    answer = json.loads(answer_json(decided(served, by_features(**features)), served))
    assert 0 <= answer["confidence"] <= 1
    assert answer["segment"] != answer["runner_up"]
    first, second = answer["membership"]
    assert first == {**answer["segment"], "share": answer["confidence"]}
    assert second == {**answer["runner_up"], "share": second["share"]}
    assert second["share"] >= 0
    assert first["share"] + second["share"] <= 1 + 1e-9
    assert features.items() <= answer["features"].items()


@given(data=st.data())
def test_contributions_add_up_to_a_margin_that_is_not_negative(served: ServedModel, data: st.DataObject) -> None:
    features = data.draw(values(served.model))
    placed = served.model.scorer.place([features[name] for name in served.model.features])
    assert placed.margin >= -1e-9
    answer = json.loads(answer_json(decided(served, by_features(**features)), served))
    told = [reason["contribution"] for reason in answer["reasons"]]
    assert 1 <= len(told) <= 3
    assert told == sorted(told, reverse=True)
    assert told[0] == round(max(placed.contributions), 4)
    assert all(one >= 0 for one in told[1:])  # as rounded
    assert list(answer["contributions"]) == list(served.model.features)
    assert all(answer["contributions"][one["feature"]] == one["contribution"] for one in answer["reasons"])
    assert answer["margin"] >= 0
    rounding = 0.5e-4 * (len(served.model.features) + 1) + 1e-9
    assert sum(answer["contributions"].values()) == pytest.approx(answer["margin"], rel=0, abs=rounding)


@given(data=st.data())
@settings(max_examples=50)
def test_many_at_once_are_answered_as_one_by_one(served: ServedModel, data: st.DataObject) -> None:
    several = data.draw(st.lists(values(served.model), min_size=1, max_size=20))
    requests = [by_features(str(index), **features) for index, features in enumerate(several)]
    alone = [decided(served, request) for request in requests]
    cases = [AdmittedCase(case_of(served.decode(json.dumps(one).encode()), served, NOW)) for one in requests]
    together = assign_many(cases, served, IDS, NOW)
    for one, other in zip(alone, together, strict=True):
        assert one.row._replace(id="") == other.row._replace(id="")
        assert answer_json(one, served).replace(one.row.id, "") == answer_json(other, served).replace(other.row.id, "")


@given(data=st.data())
def test_a_stored_answer_is_worked_out_again_as_it_was_given(served: ServedModel, data: st.DataObject) -> None:
    one = decided(served, by_features(**data.draw(values(served.model))))
    assert recall(one.row, served) == answer_json(one, served)


LINES = st.builds(
    line,
    invoice_no=st.sampled_from(["1", "2", "3", "C4", "A5"]),
    stock_code=st.sampled_from(["22423", "85123A", "POST"]),
    quantity=st.sampled_from([1, 6, 12, -6, 0]) | st.floats(-1e9, 1e9),
    invoice_date=st.datetimes(datetime(1970, 1, 1), datetime(2011, 12, 20)).map(datetime.isoformat),  # noqa: DTZ001
    unit_price=st.sampled_from([0, 0.85, 2.55]) | st.floats(-1e9, 1e9),
    country=st.sampled_from(["France", "EIRE", " ", None]),
)


@given(lines=st.lists(LINES, min_size=1, max_size=12))
@settings(max_examples=60)
def test_any_transactions_are_answered_or_told_to_hold_no_purchase(
    served: ServedModel, lines: list[dict[str, Any]]
) -> None:
    try:
        made = json.loads(answer_json(decided(served, by_transactions(*lines)), served))
    except InvalidRequest as refusal:
        told = [fault.pointer for fault in refusal.faults]
        event("refused")
        assert set(told) == {"/transactions"}
        return
    event("answered")
    assert sum(made["ignored"].values()) < len(lines)
    again = json.loads(
        answer_json(decided(served, {"customer_id": "17850", "features": made["features"], "as_of": AS_OF}), served)
    )
    # whom the lines are of is not known from features: then the products are the segment's
    apart = ("assignment_id", "ignored")
    made["recommendation"] |= {name: again["recommendation"][name] for name in ("products", "offers")}
    assert {k: v for k, v in made.items() if k not in apart} == {k: v for k, v in again.items() if k not in apart}


@given(st.lists(LINES, min_size=1, max_size=12))
@settings(max_examples=30)
def test_an_answer_by_transactions_is_worked_out_again_as_it_was_given(
    served: ServedModel, lines: list[dict[str, Any]]
) -> None:
    try:
        one = decided(served, by_transactions(*lines))
    except InvalidRequest:
        return
    given_then, again = json.loads(answer_json(one, served)), json.loads(recall(one.row, served))
    assert again == {**given_then, "ignored": {}}


def test_a_discount_is_the_highest_the_guard_allows_this_customer(served: ServedModel) -> None:
    guard = Discount(when="after silence", after_days=60, most_percent=10)
    books = {name: book.model_copy(update={"discount": guard}) for name, book in served.model.playbooks.items()}
    guarded = ServedModel(served.model, books, served.limits)
    most = [
        json.loads(answer_json(decided(guarded, by_features(recency=recency)), guarded))["recommendation"]
        for recency in (59.0, 60.0)
    ]
    assert [one["discount_most_percent"] for one in most] == [0, 10]


def test_without_products_in_the_model_those_of_the_segments_profile_are_offered(served: ServedModel) -> None:
    plain = ServedModel(replace(served.model, advisor=None), None, served.limits)
    for sent in (by_features(), by_transactions(line(), line(stock_code="22423"))):
        one = decided(plain, sent)
        assert one.row.products is None
        recommended = json.loads(answer_json(one, plain))["recommendation"]
        profile = served.model.segments[one.nearest].products
        assert recommended["products"] == [product.product for product in profile]
        assert [offer["chance"] for offer in recommended["offers"]] == [None] * len(profile)


def test_nobody_at_all_is_no_work(served: ServedModel) -> None:
    assert assign_many([], served, IDS, NOW) == []


def test_the_row_says_what_the_answer_says(served: ServedModel) -> None:
    one = decided(served, by_features())
    answer = json.loads(answer_json(one, served))
    assert one.row.id == answer["assignment_id"]
    assert one.row.as_of == MOMENT
    assert one.row.assigned_at == NOW
    assert one.row.as_of.tzinfo is UTC
    assert {"id": one.row.segment_id, "name": one.row.segment_name} == answer["segment"]
    assert {"id": one.row.runner_up_id, "name": one.row.runner_up_name} == answer["runner_up"]
    assert one.row.model_version == answer["model_version"]
    assert one.row.confidence == answer["confidence"]
    assert one.row.feature_values == answer["features"]


def test_transactions_make_the_same_case_whichever_way_they_are_decoded(served: ServedModel) -> None:
    lines = [line(invoice_no=str(500_000 + index // 3), stock_code=str(20_000 + index)) for index in range(30)]
    usual = json.dumps(by_transactions(*lines)).encode()
    numbers = [{**one, "stock_code": int(one["stock_code"])} for one in lines]
    unusual = json.dumps(by_transactions(*numbers)).encode()
    quick = RequestDecoder(served.model, len(lines))
    assert quick.decode(usual) is not None
    assert quick.decode(unusual) is None
    assert case_of(served.decode(usual), served, NOW) == case_of(served.decode(unusual), served, NOW)


def test_a_model_of_at_most_so_many_transactions_refuses_more(model: SegmentationModel) -> None:
    small = ServedModel(model, None, Limits(batch=10, transactions=10))
    with pytest.raises(InvalidRequest) as refused:
        small.decode(json.dumps(by_transactions(*[line()] * 11)).encode())
    assert refused.value.faults[0].pointer == "/transactions"
