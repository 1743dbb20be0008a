"""Playbooks: those that ship, and those that people edit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import PlaybooksRefused
from models.playbook import DEFAULT, Discount, Playbook, dump_playbooks, load_playbooks, playbook_for
from training.naming import ARCHETYPES, STEADY

PLAYBOOKS = load_playbooks()


def written(path: Path, **changes: Any) -> Path:
    """A playbook file with a default of which some fields are changed, or left out where None."""
    entry = {**PLAYBOOKS[DEFAULT].model_dump(), **changes}
    path.write_text(json.dumps({DEFAULT: {name: value for name, value in entry.items() if value is not None}}))
    return path


def test_every_name_a_segment_can_have_has_a_playbook_and_others_get_the_default() -> None:
    assert set(PLAYBOOKS) == {*ARCHETYPES, *STEADY, DEFAULT}
    assert playbook_for(PLAYBOOKS, "Segment 12") == PLAYBOOKS[DEFAULT]


@pytest.mark.parametrize("name", ["Champions", "Loyal", "Big spenders", "Promising", DEFAULT])
def test_customers_who_buy_without_a_discount_are_given_none(name: str) -> None:
    assert PLAYBOOKS[name].discount.highest(frequency=1, recency=1000) == 0


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "playbooks.json"
    path.write_text(dump_playbooks(PLAYBOOKS), "utf-8")
    assert load_playbooks(path) == PLAYBOOKS


@pytest.mark.parametrize("field", list(Playbook.model_fields))
def test_a_missing_field_is_named(field: str, tmp_path: Path) -> None:
    with pytest.raises(PlaybooksRefused, match=rf"playbooks: default\.{field}: Field required") as refusal:
        load_playbooks(written(tmp_path / "playbooks.json", **{field: None}))
    assert str(tmp_path / "playbooks.json") in refusal.value.report


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("goal", "", "default.goal"),
        ("contacts", {"most": 0, "days": 30}, "default.contacts.most"),
        ("contacts", {"most": 2, "days": "30"}, "default.contacts.days"),
        ("contacts", {"most": 2}, "default.contacts.days: Field required"),
        ("discount", "never", "default.discount"),
        ("discount", {"when": "sometimes", "most_percent": 5}, "default.discount.when"),
        ("discount", {"when": "any time", "most_percent": 101}, "default.discount.most_percent"),
        ("discount", {"when": "never", "most_percent": 5}, 'default.discount: most_percent must be 0 with "never"'),
        ("discount", {"when": "any time", "most_percent": 0}, "default.discount: most_percent must be 0"),
        ("discount", {"when": "after silence", "most_percent": 5}, "default.discount: after_days must be there"),
        ("discount", {"when": "any time", "after_days": 9, "most_percent": 5}, "default.discount: after_days must be"),
    ],
)
def test_a_limit_no_program_could_keep_is_refused(field: str, value: object, said: str, tmp_path: Path) -> None:
    with pytest.raises(PlaybooksRefused, match=said):
        load_playbooks(written(tmp_path / "playbooks.json", **{field: value}))


@pytest.mark.parametrize(
    ("guard", "frequency", "recency", "highest"),
    [
        (Discount(when="never", most_percent=0), 1, 1000, 0),
        (Discount(when="second order", most_percent=10), 1, 5, 10),
        (Discount(when="second order", most_percent=10), 2, 5, 0),
        (Discount(when="after silence", after_days=90, most_percent=15), 7, 89.9, 0),
        (Discount(when="after silence", after_days=90, most_percent=15), 7, 90, 15),
        (Discount(when="any time", most_percent=20), 7, 0, 20),
    ],
)
def test_a_guard_says_the_highest_discount_for_a_customer(
    guard: Discount, frequency: float, recency: float, highest: int
) -> None:
    assert guard.highest(frequency, recency) == highest
    assert guard.highest_of_many(np.array([frequency]), np.array([recency])).tolist() == [highest]


@given(st.sampled_from(sorted(PLAYBOOKS)), st.floats(1, 1e6), st.floats(0, 1e5))
def test_no_customer_is_given_more_than_the_guard_allows(name: str, frequency: float, recency: float) -> None:
    guard = PLAYBOOKS[name].discount
    assert guard.highest(frequency, recency) in {0, guard.most_percent}
    assert guard.highest_of_many(np.array([frequency]), np.array([recency])).tolist() == [
        guard.highest(frequency, recency)
    ]
