"""The report of who moved holds counts and says them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from models.movement import Flow, Movements

REPORT = Movements(
    previous="20111101-0123456789abcdef", previous_as_of=datetime(2011, 11, 1, tzinfo=UTC), unavailable=None,
    known=4_310, stayed=3_898, moved_back=30, moved=412, customer_changed=380, model_changed=20, both=12, new=61,
    gone=1, flows=(Flow(from_id=1, to_id=2, customers=412, customer_changed=380, model_changed=20, both=12),),
)  # fmt: skip


def test_a_report_is_the_same_as_json() -> None:
    assert Movements.model_validate_json(REPORT.model_dump_json()) == REPORT


def test_who_moved_is_said_with_the_reasons() -> None:
    assert REPORT.says == (
        "412 of 4,310 customers known to both models moved (9.56 %): 380 because they behaved differently, 20 because "
        "the model changed, 12 by both. 30 more behaved differently, but the new model has them where they were. 61 "
        "customers are new. No longer known: 1."
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stayed": 3_899}, "add up to the 4310 known"),
        ({"moved_back": 3_899}, "add up to the 4310 known"),
        ({"both": 13}, "add up to the 412 customers who moved"),
        ({"flows": ()}, "add up to the 412 customers who moved"),
    ],
)
def test_a_report_that_contradicts_itself_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Movements.model_validate(REPORT.model_dump() | change)


def test_that_nobody_is_known_to_both_models_is_no_share_of_nobody() -> None:
    nobody = {
        "known": 0,
        "stayed": 0,
        "moved_back": 0,
        "moved": 0,
        "customer_changed": 0,
        "model_changed": 0,
        "both": 0,
        "flows": (),
    }
    said = REPORT.model_copy(update=nobody).says
    assert said.startswith("No customer is known to both")


def test_a_report_that_could_not_be_made_says_why_instead() -> None:
    assert REPORT.model_copy(update={"unavailable": "It cannot be told."}).says == "It cannot be told."
