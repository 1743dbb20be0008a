"""What no model can use is refused with a sentence that names the field, the value and the bound."""

import json
from typing import Any

import pytest

from tests.service.requests import AS_OF, by_features, by_transactions, line, with_literal
from tests.service.serving import TestClient


def faults(client: TestClient, body: bytes | dict[str, Any]) -> dict[str, str]:
    """What is wrong with a body, by place."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post("/segment", content=content, headers={"content-type": "application/json"})
    assert response.status_code == 422, response.text
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["type"] == "urn:segmentation:problem:invalid-request"
    for fault in problem["errors"]:
        assert fault["detail"] in problem["detail"]
    return {fault["pointer"]: fault["detail"] for fault in problem["errors"]}


@pytest.mark.parametrize(
    ("feature", "literal", "sentence"),
    [
        ("recency", "NaN", "is NaN, and must be a finite number"),
        ("monetary", "Infinity", "is Infinity, and must be a finite number"),
        ("monetary", "-Infinity", "is -Infinity, and must be a finite number"),
        ("monetary", "1e400", "is Infinity, and must be a finite number"),
        ("monetary", "1" + "0" * 400, f"is 1{'0' * 59}…, and must be a finite number"),
        ("frequency", "-1", "is -1, and must be at least 1"),
        ("frequency", "0.5", "is 0.5, and must be at least 1"),
        ("recency", "-0.001", "is -0.001, and must be at least 0"),
        ("monetary", "1e13", "is 10000000000000.0, and must be at most 1e+12"),
        ("return_rate", "1.01", "is 1.01, and must be at most 1"),
        ("frequency", "true", "is true, and must be a number"),
        ("frequency", '"5"', 'is "5", and must be a number'),
        ("frequency", "null", "is null, and must be a number"),
        ("frequency", "[5]", "is [5], and must be a number"),
        ("frequency", '{"a": 5}', 'is {"a": 5}, and must be a number'),
        ("age", "5", "is not a field that is known here; remove it or correct its name"),
        ("main_country", '"%s"' % ("x" * 201), "has more than 200 characters; shorten it"),
    ],
)
def test_a_feature_value_no_model_can_use(shared_client: TestClient, feature: str, literal: str, sentence: str) -> None:
    assert faults(shared_client, with_literal(feature, literal)) == {f"/features/{feature}": sentence}


def test_an_integer_of_thousands_of_digits_is_no_json(shared_client: TestClient) -> None:
    [(pointer, sentence)] = faults(shared_client, with_literal("monetary", "1" * 5_000)).items()
    assert pointer == ""
    assert sentence.startswith("is not JSON: number out of range")


@pytest.mark.parametrize("feature", ["recency", "frequency", "monetary"])
def test_a_missing_feature_is_named(shared_client: TestClient, feature: str) -> None:
    assert faults(shared_client, by_features(**{feature: None})) == {f"/features/{feature}": "is missing; send it"}


def test_every_fault_is_told_at_once_up_to_a_readable_number(shared_client: TestClient) -> None:
    several = faults(
        shared_client, with_literal("recency", "NaN").replace(b"5.0", b"-5").replace(b'"monetary"', b'"age"')
    )
    assert set(several) == {f"/features/{name}" for name in ("recency", "frequency", "monetary", "age")}

    many = faults(shared_client, by_transactions(*[line(quantity="many")] * 500))
    assert len(many) == 21
    assert many[""] == "and more; correct these first"


@pytest.mark.parametrize(
    ("changes", "place", "sentence"),
    [
        ({"quantity": "6"}, "quantity", 'is "6", and must be a number'),
        ({"quantity": True}, "quantity", "is true, and must be a number"),
        ({"quantity": 1e10}, "quantity", "is 10000000000.0, and must be at most 1e+09"),
        ({"unit_price": -1e10}, "unit_price", "is -10000000000.0, and must be at least -1e+09"),
        ({"unit_price": None}, "unit_price", "is null, and must be a number"),
        ({"invoice_date": 20111209}, "invoice_date", "must be a time such as 2011-12-09T12:50:00Z, in quotes"),
        ({"invoice_date": 1.5}, "invoice_date", "must be a time such as 2011-12-09T12:50:00Z, in quotes"),
        ({"invoice_date": True}, "invoice_date", "must be a time such as 2011-12-09T12:50:00Z, in quotes"),
        ({"invoice_date": None}, "invoice_date", "must be a time such as 2011-12-09T12:50:00Z, in quotes"),
        ({"invoice_date": "20111209"}, "invoice_date", "must be a time such as 2011-12-09T12:50:00Z, in quotes"),
        ({"invoice_date": ""}, "invoice_date", "must be a time such as 2011-12-09T12:50:00Z, in quotes"),
        ({"invoice_date": "9/12/2011"}, "invoice_date",
         'is "9/12/2011", and must be a time such as 2011-12-09T12:50:00Z'),
        ({"invoice_date": "2011-02-30"}, "invoice_date",
         'is "2011-02-30", and must be a time such as 2011-12-09T12:50:00Z'),
        (
            {"invoice_date": "0001-01-01T00:00:00+14:00"},
            "invoice_date",
            "the year 1 is not between 1900 and 2200; correct the time",
        ),
        (
            {"invoice_date": "9999-12-31T23:59:59-12:00"},
            "invoice_date",
            "the year 9999 is not between 1900 and 2200; correct the time",
        ),
        ({"stock_code": "x" * 201}, "stock_code", "has more than 200 characters; shorten it"),
        ({"stock_code": ["A"]}, "stock_code", 'is ["A"], and must be text'),
        ({"colour": "red"}, "colour", "is not a field that is known here; remove it or correct its name"),
    ],
)  # fmt: skip
def test_a_transaction_nobody_can_read(
    shared_client: TestClient, changes: dict[str, Any], place: str, sentence: str
) -> None:
    found = faults(shared_client, by_transactions(line(), line(**changes)))
    assert found == {f"/transactions/1/{place}": sentence}


@pytest.mark.parametrize("field", ["quantity", "invoice_date", "unit_price"])
def test_a_transaction_without_what_every_one_has(shared_client: TestClient, field: str) -> None:
    bare = {name: value for name, value in line().items() if name != field}
    assert faults(shared_client, by_transactions(bare)) == {f"/transactions/0/{field}": "is missing; send it"}


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "is empty; send at least 1"),
        ([line(invoice_date="2011-12-11")], "hold no purchase up to 2011-12-10T00:00:00Z (1 after as of)"),
        (
            [line(invoice_no="C1", quantity=-6)],
            "hold no purchase up to 2011-12-10T00:00:00Z (only returns, or all of it undone by them)",
        ),
        (
            [line(), line(invoice_no="C536366", quantity=-6, invoice_date="2011-12-02")],
            "hold no purchase up to 2011-12-10T00:00:00Z (only returns, or all of it undone by them)",
        ),
        ([line(stock_code="POST"), line(unit_price=0)], "(1 non product, 1 price not positive)"),
    ],
)
def test_transactions_that_hold_no_purchase(
    shared_client: TestClient, lines: list[dict[str, Any]], sentence: str
) -> None:
    [(pointer, found)] = faults(shared_client, by_transactions(*lines)).items()
    assert pointer == "/transactions"
    assert found.endswith(sentence)


def test_transactions_worth_more_than_any_shop_sells(shared_client: TestClient) -> None:
    body = by_transactions(line(quantity=1e6, unit_price=1.5e6))
    response = shared_client.post("/segment", json=body)
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {
            "pointer": "/transactions",
            "detail": "make monetary 1500000000000.0, and it must be between -1e+12 and 1e+12",
        },
        {
            "pointer": "/transactions",
            "detail": "make average_order_value 1500000000000.0, and it must be between 0 and 1e+12",
        },
    ]


def test_more_transactions_than_one_request_may_hold(shared_client: TestClient) -> None:
    found = faults(shared_client, by_transactions(*[line()] * 10_001))
    assert found == {
        "/transactions": "has more than 10,000 entries, and features over the whole history must come in one request; "
        "send features, which python -m training features works out, or raise SEGMENTATION_MAX_TRANSACTIONS"
    }


@pytest.mark.parametrize(
    ("literal", "sentence"),
    [
        ('"%s"' % ("x" * 10_000), "a customer id has at most 256 characters, this one has 10,000"),
        ('""', "a customer id must not be empty"),
        ('"   "', "a customer id must not be empty"),
        ('"17\\u0000850"', "a customer id must not contain control characters or line breaks"),
        ('"17\\n850"', "a customer id must not contain control characters or line breaks"),
        ('"17\\u202e850"', "a customer id must not contain control characters or line breaks"),
        ("1" + "0" * 300, "a customer id has at most 256 characters"),
        ("1e300", "is 1e+300, a number of which digits may be lost; send it as text"),
        ("9007199254740992.0", "is 9.0072e+15, a number of which digits may be lost; send it as text"),
        ("-6.21e18", "is -6.21e+18, a number of which digits may be lost; send it as text"),
        ("6.21E+18", "is 6.21e+18, a number of which digits may be lost; send it as text"),
        ("true", "must be text or a whole number"),
        ("null", "must be text or a whole number"),
        ("[17850]", "must be text or a whole number"),
        ("17850.5", "is 17850.5, and must be text or a whole number"),
        ("NaN", "is nan, and must be text or a whole number"),
        ("Infinity", "is inf, and must be text or a whole number"),
    ],
)
def test_a_customer_id_nobody_can_have(shared_client: TestClient, literal: str, sentence: str) -> None:
    body = json.dumps(by_features("@")).replace('"@"', literal).encode()
    assert faults(shared_client, body) == {"/customer_id": sentence}


def test_half_a_character_is_no_json(shared_client: TestClient) -> None:
    body = json.dumps(by_features("@")).replace("@", "\\ud800").encode()
    [(pointer, sentence)] = faults(shared_client, body).items()
    assert pointer == ""
    assert sentence.startswith("is not JSON: ")


@pytest.mark.parametrize(
    ("as_of", "sentence"),
    [
        ("0001-01-01T00:00:00+14:00", "the year 1 is not between 1900 and 2200; correct the time"),
        ("9999-12-31T23:59:59-12:00", "the year 9999 is not between 1900 and 2200; correct the time"),
        ("2200-12-31", "is 2200-12-31, which has not come yet; send today or earlier"),
        (20111209, "must be a time such as 2011-12-09T12:50:00Z, in quotes"),
        ("20111209", "must be a time such as 2011-12-09T12:50:00Z, in quotes"),
        ("yesterday", 'is "yesterday", and must be a time such as 2011-12-09T12:50:00Z'),
    ],
)
def test_a_moment_nobody_can_mean(shared_client: TestClient, as_of: object, sentence: str) -> None:
    assert faults(shared_client, {**by_features(), "as_of": as_of}) == {"/as_of": sentence}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({**by_features(), **by_transactions(line())}, "send exactly one of features and transactions; both are here"),
        ({"customer_id": "17850"}, "send exactly one of features and transactions; neither is here"),
        (
            {"customer_id": "17850", "features": None, "transactions": None},
            "send exactly one of features and transactions; neither is here",
        ),
    ],
)
def test_exactly_one_of_features_and_transactions_is_sent(
    shared_client: TestClient, body: dict[str, Any], sentence: str
) -> None:
    assert faults(shared_client, body) == {"": sentence}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "is not JSON: EOF while parsing a value"),
        (b"customer_id=17850", "is not JSON: expected value"),
        (b"\xff\xfe{}", "is not JSON: "),
        (b'{"customer_id": "\xff"}', "is not JSON: "),
        (b"[" * 100_000, "is not JSON: recursion limit exceeded"),
        (b'{"features":' * 100_000, "is nested more than 16 levels deep"),
        (b"[]", "is [], and must be an object"),
        (b'[{"customer_id": "17850"}]', 'is [{"customer_id": "17850"}], and must be an object'),
        (b'"17850"', 'is "17850", and must be an object'),
        (b"null", "is null, and must be an object"),
    ],
)
def test_a_body_that_is_not_a_json_object(shared_client: TestClient, body: bytes, sentence: str) -> None:
    [(pointer, found)] = faults(shared_client, body).items()
    assert pointer == ""
    assert found.startswith(sentence)


def test_an_unknown_field_is_named_and_pointed_at(shared_client: TestClient) -> None:
    body = {**by_features(), "a/b~c": 1}
    expected = {"/a~1b~0c": "is not a field that is known here; remove it or correct its name"}
    assert faults(shared_client, body) == expected


def test_an_unknown_field_with_a_name_of_any_length_is_not_sent_back_whole(shared_client: TestClient) -> None:
    assert list(faults(shared_client, {**by_features(), "a" * 60_000: 1})) == [f"/{'a' * 200}…"]
    assert list(faults(shared_client, {**by_features(), "a" * 100_000: 1})) == [""]


def test_nothing_of_a_refused_request_is_stored(shared_client: TestClient) -> None:
    faults(shared_client, {**by_features("nobody", frequency=-1), "as_of": AS_OF})
    assert shared_client.get("/customers/nobody").status_code == 404
