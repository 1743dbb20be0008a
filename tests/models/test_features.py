"""The features and their documented values."""

import numpy as np
import pytest
from hypothesis import given

from models.customer.conventions import FORMER_CONVENTIONS
from models.features import FEATURES, NAMES, compute, compute_one
from models.fold import fold
from models.line import Line
from models.summary import Summaries
from tests.shop import LINES, bought, day

AS_OF = day(100)


def of(lines: list[Line]) -> dict[str, float]:
    summary = fold(lines, AS_OF, FORMER_CONVENTIONS).summary
    assert summary is not None
    return dict(zip(NAMES, compute(Summaries.of([summary]), AS_OF)[0].tolist(), strict=True))


def test_a_customer_worked_out_by_hand() -> None:
    lines = [
        bought("1", "A", 6, 2.0, on=0),
        bought("1", "E", 6, 1.0, on=0),
        bought("2", "A", 3, 2.0, on=30),
        bought("3", "C", 1, 10.0, on=90),
        bought("C4", "A", -2, 2.0, on=91),
    ]
    assert of(lines) == pytest.approx(
        {
            "recency": 10,
            "frequency": 3,
            "monetary": 34 - 4,
            "average_order_value": 34 / 3,
            "typical_quantity": 6,
            "mean_unit_price": 15 / 4,
            "mean_line_quantity": 4,
            "distinct_products": 3,
            "tenure": 100,
            "mean_gap": 45,
            "return_rate": 4 / 34,
        }
    )


def test_a_customer_with_one_order_has_the_documented_values() -> None:
    found = of([bought("1", "A", 2, 5.0, on=60), bought("1", "E", 2, 3.0, on=60)])
    assert found["recency"] == found["tenure"] == found["mean_gap"] == 40
    assert (found["frequency"], found["monetary"], found["average_order_value"]) == (1, 16, 16)
    assert (found["distinct_products"], found["typical_quantity"], found["return_rate"]) == (2, 2, 0)


def test_without_product_codes_distinct_products_is_not_a_number() -> None:
    assert np.isnan(of([bought("1", None)])["distinct_products"])


def test_every_feature_says_what_it_is() -> None:
    for feature in FEATURES:
        assert feature.unit
        assert feature.formula
        assert feature.one_order
        assert "{}" in feature.says


@given(LINES)
def test_every_feature_keeps_its_own_bounds(lines: list[Line]) -> None:
    summary = fold(lines, AS_OF, FORMER_CONVENTIONS).summary
    if summary is None:
        return
    values = compute(Summaries.of([summary]), AS_OF)[0]
    for feature, value in zip(FEATURES, values.tolist(), strict=True):
        if feature.name == "distinct_products" and summary.products is None:
            assert np.isnan(value)
        else:
            assert feature.low <= value <= feature.high, feature.name


@given(LINES)
def test_one_customer_alone_has_the_same_features_to_the_last_bit(lines: list[Line]) -> None:
    nameless = [line._replace(product=None) for line in lines]
    for summary in (fold(lines, AS_OF, FORMER_CONVENTIONS).summary, fold(nameless, AS_OF, FORMER_CONVENTIONS).summary):
        if summary is None:
            continue
        values = zip(NAMES, compute(Summaries.of([summary]), AS_OF)[0].tolist(), strict=True)
        assert repr(compute_one(summary, AS_OF)) == repr({name: value for name, value in values if value == value})


@given(LINES)
def test_time_moves_recency_and_tenure_alike_and_leaves_frequency(lines: list[Line]) -> None:
    summary = fold(lines, AS_OF, FORMER_CONVENTIONS).summary
    if summary is None:
        return
    names = ("recency", "tenure", "frequency")
    now, later = (compute(Summaries.of([summary]), AS_OF + shift, names)[0] for shift in (0.0, 86_400.0))
    assert (later - now).tolist() == pytest.approx([1, 1, 0])
