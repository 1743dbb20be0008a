"""A rule says exactly what it asks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.category import columns
from models.features import NAMES
from models.rule import PHRASES, Condition, Rule, Rules, words_of, words_of_table


@pytest.mark.parametrize(
    ("feature", "low", "high", "words"),
    [
        ("frequency", 4, None, "4 or more orders"),
        ("frequency", None, 2, "a single order"),
        ("frequency", None, 4, "up to 3 orders"),
        ("frequency", 2, 4, "2 to 3 orders"),
        ("frequency", 3, 4, "3 orders"),
        ("recency", None, 50, "the last order within 50 days"),
        ("recency", None, 1, "the last order within 1 day"),
        ("recency", 120, None, "the last order 120 days ago or longer"),
        ("recency", 25, 200, "the last order 25 to 200 days ago"),
        ("monetary", 1000, None, "spent 1,000 or more"),
        ("monetary", None, 550, "spent under 550"),
        ("monetary", 350, 2500, "spent 350 to 2,500"),
        ("tenure", None, 90, "first bought within 90 days"),
        ("tenure", 90, None, "first bought 90 days ago or longer"),
        ("tenure", 35, 120, "first bought 35 to 120 days ago"),
        ("average_order_value", 200, None, "spends 200 or more an order"),
        ("average_order_value", None, 200, "spends under 200 an order"),
        ("mean_gap", 30, None, "30 days or more between orders"),
        ("mean_gap", None, 30, "under 30 days between orders"),
        ("distinct_products", None, 20, "up to 19 products"),
        ("distinct_products", None, 2, "a single product"),
        ("distinct_products", 50, None, "50 or more products"),
        ("typical_quantity", 12, None, "usually takes 12 units a line or more"),
        ("mean_line_quantity", None, 6, "takes under 6 units a line on average"),
        ("mean_unit_price", 2.5, None, "buys at 2.5 or more a unit"),
        ("return_rate", 0.07, None, "returned 7 % or more"),
        ("return_rate", 0.05, 0.2, "returned 5 % to 20 %"),
        ("Age", None, 40, "Age under 40"),
        ("Annual Income (k$)", 70, None, "Annual Income (k$) 70 or more"),
        ("online_share", 0.25, 0.75, "online share 0.25 to under 0.75"),
        ("odd {feature}", 1, None, "odd {feature} 1 or more"),
    ],
)
def test_a_condition_is_said_as_a_person_would(feature: str, low: float | None, high: float | None, words: str) -> None:
    assert Condition(feature=feature, low=low, high=high).words == words


def test_every_feature_of_a_shop_has_its_own_phrase() -> None:
    assert set(PHRASES) == set(NAMES)


def test_a_rule_names_the_orders_first_and_other_features_last() -> None:
    conditions = [
        Condition(feature="Age", low=None, high=40),
        Condition(feature="recency", low=None, high=50),
        Condition(feature="monetary", low=1000, high=None),
        Condition(feature="frequency", low=4, high=None),
    ]
    assert words_of(conditions) == "4 or more orders, the last within 50 days, spent 1,000 or more, Age under 40"
    assert words_of(()) == "any customer"


def test_a_table_s_columns_are_said_by_their_names_and_words() -> None:
    levels = {"Club": ("basic", "gold"), "Town": ("Bath", "Hull", "York")}
    told = columns(("recency", "Club", "Town", "Age"), levels)
    conditions = [
        Condition(feature="Town=Hull", low=None, high=1),
        Condition(feature="Club=basic", low=None, high=1),
        Condition(feature="Age", low=None, high=40),
        Condition(feature="recency", low=5, high=60),
    ]
    assert words_of_table(told, levels, conditions) == ("recency 5 to under 60, Club gold, Town not Hull, Age under 40")
    has_it = [Condition(feature="Town=Hull", low=1, high=None), Condition(feature="recency", low=1500, high=None)]
    assert words_of_table(told, levels, has_it) == "recency 1,500 or more, Town Hull"
    assert words_of_table(told, levels, ()) == "any customer"


@given(st.sampled_from([*NAMES, "Age"]), st.integers(3, 10**6), st.integers(2, 10**6))
def test_every_bound_is_said_with_all_its_digits(feature: str, low: int, width: int) -> None:
    counted = feature in {"frequency", "distinct_products"}
    scale = 0.01 if feature == "return_rate" else 1.0  # said as per cent
    said_low, said_high = f"{low:,}", f"{low + width - counted:,}"
    least, below = low * scale, (low + width) * scale
    assert said_low in Condition(feature=feature, low=least, high=None).words
    assert said_high in Condition(feature=feature, low=None, high=below).words
    both = Condition(feature=feature, low=least, high=below).words
    assert said_low in both
    assert said_high in both


def test_a_condition_is_met_from_low_on_and_up_to_high_and_never_by_a_missing_value() -> None:
    values = np.array([1.0, 2.0, 3.9, 4.0, np.nan])
    assert Condition(feature="frequency", low=2, high=4).meets(values).tolist() == [False, True, True, False, False]
    assert Condition(feature="frequency", low=None, high=4).meets(values).tolist() == [True, True, True, False, False]


@pytest.mark.parametrize(("low", "high"), [(None, None), (3, 3), (4, 3)])
def test_a_condition_that_asks_nothing_or_admits_nobody_is_refused(low: float | None, high: float | None) -> None:
    with pytest.raises(ValidationError, match="the condition on recency"):
        Condition(feature="recency", low=low, high=high)


def rule(segment_id: int, *conditions: Condition) -> Rule:
    return Rule(
        segment_id=segment_id, conditions=conditions, words=words_of(conditions), members=1, precision=1, recall=1,
        fidelity=1,
    )  # fmt: skip


def test_the_first_rule_met_places_a_customer_and_who_meets_none_goes_elsewhere() -> None:
    rules = Rules(
        rules=(
            rule(3, Condition(feature="frequency", low=4, high=None)),
            rule(1, Condition(feature="recency", low=None, high=50)),
        ),
        otherwise=2, fidelity=1, met_by_none=0.25, met_by_several=0.25, customers=4, method="by hand",
    )  # fmt: skip
    features = {"frequency": np.array([5.0, 5.0, 1.0, 1.0]), "recency": np.array([10.0, 90.0, 10.0, 90.0])}
    assert rules.place(features).tolist() == [3, 3, 1, 2]
    assert Rules.model_validate_json(rules.model_dump_json()) == rules
