"""The conventions of the shop's data hold for requests too, in every form."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic_core import to_json

from models.customer.conventions import Conventions
from models.model import SegmentationModel
from service.assigned import Case
from service.assigning import case_of
from service.errors import InvalidRequest
from service.served_model import Limits, ServedModel
from tests.service.requests import by_features, by_transactions, line
from tests.service.serving import TestClient

NOW = datetime(2011, 12, 10, tzinfo=UTC)
SHOP = Conventions(
    statuses={"paid": "purchase", "abgebrochen": "no_purchase", "refunded": "return"}, placeholders=("kunde",)
)


@pytest.fixture(scope="module")
def served(model: SegmentationModel) -> ServedModel:
    """The model of a shop whose data has statuses."""
    manifest = model.manifest.model_copy(update={"conventions": SHOP})
    return ServedModel(replace(model, manifest=manifest), None, Limits(batch=10, transactions=100))


def case(served: ServedModel, *lines: dict[str, Any], customer_id: str = "17850") -> Case:
    """The same customer, decoded in the quick way and in the documented one."""
    body = to_json(by_transactions(*lines, customer_id=customer_id))
    quick = case_of(served.decode(body), served, NOW)
    documented = case_of(served.request_type.model_validate_json(body), served, NOW)
    assert quick == documented
    return quick


@pytest.mark.parametrize("status", ["paid", "PAID", " Paid ", None])
def test_a_status_that_means_a_purchase_changes_nothing(served: ServedModel, status: str | None) -> None:
    assert case(served, line(status=status)) == case(served, line())


@pytest.mark.parametrize("status", ["abgebrochen", "ABGEBROCHEN", "\u00a0Abgebrochen"])
def test_a_line_whose_status_means_no_purchase_is_left_out_and_counted(served: ServedModel, status: str) -> None:
    assert case(served, line(), line(invoice_no="2", status=status)).ignored == {"status": 1}


def test_a_line_whose_status_means_a_return_lowers_what_was_spent(served: ServedModel) -> None:
    found = case(served, line(), line(invoice_no="2", quantity=1, status="refunded"))
    assert found.features["monetary"] == pytest.approx(5 * 2.55)
    assert found.features["frequency"] == 1


def test_an_unknown_status_is_refused_by_name_of_the_known_ones(served: ServedModel) -> None:
    with pytest.raises(InvalidRequest) as refused:
        case(served, line(), line(status="shipped"))
    (fault,) = refused.value.faults
    assert fault.pointer == "/transactions/1/status"
    assert fault.detail.endswith(
        "'shipped', which is not among those of the data this model is of: abgebrochen, paid, refunded"
    )


def test_a_status_is_refused_where_the_data_had_none(shared_client: TestClient) -> None:
    answer = shared_client.post("/segment", json=by_transactions(line(status="paid")))
    assert answer.status_code == 422
    assert "has no statuses" in answer.json()["detail"]


@pytest.mark.parametrize("customer", ["kunde", "KUNDE", " Kunde\u200b"])
def test_a_placeholder_is_no_customer(served: ServedModel, customer: str) -> None:
    with pytest.raises(InvalidRequest, match="stands for no customer"):
        case(served, line(), customer_id=customer)


@pytest.mark.parametrize(
    "customer", ["guest", "Unknown", "-", "n/a", "nan", "None", "NULL", "6.21E+12", "9007199254740992.0", 2.0**53, 1e20]
)
def test_no_form_takes_an_id_that_is_none(shared_client: TestClient, customer: object) -> None:
    assert shared_client.post("/segment?dry_run=true", json=by_features(customer)).status_code == 422
    items = shared_client.post(
        "/segment/batch?dry_run=true", json=[by_features(customer), by_features("17850")]
    ).json()["results"]
    assert ["problem" in item for item in items] == [True, False]


def test_e_mail_addresses_that_differ_by_case_are_one_customer(shared_client: TestClient) -> None:
    assert (
        shared_client.post("/segment", json=by_features("Dora@Example.org")).json()["customer_id"] == "dora@example.org"
    )
    assert shared_client.get("/customers/DORA@EXAMPLE.ORG").json()["customer_id"] == "dora@example.org"
    assert shared_client.delete("/customers/dORA@example.org").status_code == 200
    assert shared_client.get("/customers/dora@example.org").status_code == 404


@pytest.mark.parametrize("invoice", ["CH-1", "CA-1001", "C", "AU7"])
def test_a_letter_before_more_than_digits_marks_nothing(shared_client: TestClient, invoice: str) -> None:
    answer = shared_client.post("/segment?dry_run=true", json=by_transactions(line(invoice_no=invoice)))
    assert answer.status_code == 200


@pytest.mark.parametrize(("quantity", "price"), [(-1, 2.55), (1, -2.55), (-1, -2.55)])
def test_a_line_of_negative_value_is_a_return(shared_client: TestClient, quantity: int, price: float) -> None:
    back = line(invoice_no="2", quantity=quantity, unit_price=price, invoice_date="2011-12-02T08:26:00Z")
    answer = shared_client.post("/segment?dry_run=true", json=by_transactions(line(), back)).json()
    (spent,) = [reason["value"] for reason in answer["reasons"] if reason["feature"] == "monetary"] or [12.75]
    assert spent == pytest.approx(12.75)
    assert answer["ignored"] == {}
