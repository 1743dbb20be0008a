"""JSON is read as it was written: no key is there twice, no byte order mark is in the way, no digit is lost."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from service.errors import BodyTooLarge
from service.forms.form import Form
from service.forms.lines import LineSplitter
from tests.service.forms.sent import post
from tests.service.requests import AS_OF, FEATURES, by_features, by_transactions, line
from tests.service.serving import TestClient

BOM = b"\xef\xbb\xbf"
EXACT = 2**53


def errors(client: TestClient, path: str, body: bytes, **headers: str) -> list[tuple[str, str]]:
    response = client.post(path, content=body, headers=headers)
    assert response.status_code == 422
    return [(error["pointer"], error["detail"]) for error in response.json()["errors"]]


def twice(body: Any, name: str) -> bytes:
    """The body with the first key of this name there twice, with equal values."""
    text = json.dumps(body)
    start = text.index(f'"{name}": ')
    _, length = json.JSONDecoder().raw_decode(text[start + len(name) + 4 :])
    return f"{text[:start]}{text[start : start + len(name) + 4 + length]}, {text[start:]}".encode()


def spaced(body: bytes) -> bytes:
    """With white space before one colon, which a count of keys must not miss."""
    return body.replace(b'"customer_id":', b'"customer_id" \n:', 1)


@pytest.mark.parametrize("name", ["customer_id", "features", "as_of", "recency"])
@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_a_key_that_is_there_twice_is_refused(shared_client: TestClient, name: str, query: str) -> None:
    place = f"/features/{name}" if name in FEATURES else f"/{name}"
    for body in (twice(by_features(), name), spaced(twice(by_features(), name))):
        assert errors(shared_client, f"/segment{query}", body) == [(place, "is there twice; send it once")]


@pytest.mark.parametrize("name", ["quantity", "country", "transactions"])
@pytest.mark.parametrize("changes", [{}, {"invoice_no": 5}, {"description": '":)'}, {"quantity": "wrong"}])
def test_a_key_that_a_transaction_has_twice_is_refused(
    shared_client: TestClient, name: str, changes: dict[str, Any]
) -> None:
    body = twice(by_transactions(line(**changes), line()), name)
    place = "/transactions" if name == "transactions" else f"/transactions/0/{name}"
    assert errors(shared_client, "/segment", body) == [(place, "is there twice; send it once")]


def test_a_key_that_is_there_twice_is_refused_under_a_key_and_in_a_large_body(shared_client: TestClient) -> None:
    body = twice(by_transactions(*[line()] * 2_000), "as_of")
    for headers in ({}, {"idempotency-key": "twice"}):
        assert errors(shared_client, "/segment", body, **headers) == [("/as_of", "is there twice; send it once")]


@pytest.mark.parametrize("form", [Form.JSON, Form.NDJSON])
@pytest.mark.parametrize("good", [by_features("1"), by_transactions(line(), customer_id="1")])
def test_an_item_with_a_key_twice_fails_alone(shared_client: TestClient, form: Form, good: Any) -> None:
    items = [json.dumps(good).encode(), twice(by_features("2"), "recency")]
    body = b"[%b]" % b",".join(items) if form is Form.JSON else b"\n".join(items)
    first, second = post(shared_client, form, body, Form.JSON).json()["results"]
    assert first["answer"]["customer_id"] == "1"
    assert second["problem"]["errors"] == [{"pointer": "/features/recency", "detail": "is there twice; send it once"}]


@pytest.mark.parametrize("name", ["columns", "rows", "as_of"])
def test_a_table_with_a_key_twice_is_refused(shared_client: TestClient, name: str) -> None:
    table = {"as_of": AS_OF, "columns": ["customer_id", *FEATURES], "rows": [["1", *FEATURES.values()]]}
    found = errors(shared_client, "/segment/batch", twice(table, name))
    assert found == [(f"/{name}", "is there twice; send it once")]


def test_texts_that_look_like_keys_are_none(shared_client: TestClient) -> None:
    for text in (":", ':"', '":', '\\":', 'a":"b', "\\"):
        body = by_transactions(line(description=text, stock_code=text))
        assert shared_client.post("/segment", json=body).status_code == 200


@pytest.mark.parametrize("form", [Form.JSON, Form.NDJSON, Form.CSV])
def test_a_byte_order_mark_is_dropped(shared_client: TestClient, form: Form) -> None:
    bodies = {
        Form.JSON: json.dumps([by_features("1")]).encode(),
        Form.NDJSON: json.dumps(by_features("1")).encode(),
        Form.CSV: ",".join(["customer_id", *FEATURES]).encode() + b"\n1," + b",".join([b"12"] * len(FEATURES)),
    }
    found = post(shared_client, form, BOM + bodies[form], Form.JSON).json()
    assert (found["assigned"], found["failed"]) == (1, 0)


def test_a_byte_order_mark_is_dropped_before_one_customer_and_before_columns(shared_client: TestClient) -> None:
    for one in (by_features(), by_transactions(line()), by_transactions(line(invoice_no=5))):
        assert shared_client.post("/segment", content=BOM + json.dumps(one).encode()).status_code == 200
    table = {"columns": ["customer_id", *FEATURES], "rows": [["1", *FEATURES.values()]]}
    assert shared_client.post("/segment/batch", content=BOM + json.dumps(table).encode()).json()["assigned"] == 1


def sent_as(form: str, literal: str) -> tuple[Form, bytes]:
    one = json.dumps(by_features("@")).replace('"@"', literal)
    values = ",".join(map(str, FEATURES.values()))
    columns = json.dumps(["customer_id", *FEATURES])
    return {
        "list": (Form.JSON, f"[{one}]".encode()),
        "lines": (Form.NDJSON, one.encode()),
        "table": (Form.JSON, f'{{"columns":{columns},"rows":[[{literal},{values}]]}}'.encode()),
    }[form]


@pytest.mark.parametrize("form", ["list", "lines", "table"])
@pytest.mark.parametrize("literal", ["9007199254740993.0", "1.2e18", "-9007199254740992.0", "1e300"])
def test_an_id_of_which_digits_may_be_lost_is_refused(shared_client: TestClient, form: str, literal: str) -> None:
    [result] = post(shared_client, *sent_as(form, literal), Form.JSON).json()["results"]
    assert "digits may be lost; send it as text" in result["problem"]["errors"][0]["detail"]


@pytest.mark.parametrize("form", ["list", "lines", "table"])
@pytest.mark.parametrize("literal", ["9007199254740993", "123456789012345678901234567890"])
def test_whole_numbers_and_texts_of_any_length_are_exact(shared_client: TestClient, form: str, literal: str) -> None:
    [result] = post(shared_client, *sent_as(form, literal), Form.JSON).json()["results"]
    assert result["answer"]["customer_id"] == literal.strip('"').removesuffix(".0")


def arrow(ids: Any) -> bytes:
    table = pa.table({"customer_id": ids, **{name: [value] * len(ids) for name, value in FEATURES.items()}})
    out = pa.BufferOutputStream()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return bytes(out.getvalue().to_pybytes())


def test_ids_in_columns_of_floats_are_exact_or_refused(shared_client: TestClient) -> None:
    found = post(shared_client, Form.ARROW, arrow(pa.array([EXACT - 1.0, float(EXACT)])), Form.JSON).json()
    assert found["results"][0]["answer"]["customer_id"] == str(EXACT - 1)
    assert "digits may be lost" in found["results"][1]["problem"]["detail"]
    whole = post(shared_client, Form.ARROW, arrow(pa.array([EXACT + 1])), Form.JSON).json()
    assert whole["results"][0]["answer"]["customer_id"] == str(EXACT + 1)
    narrow = post(shared_client, Form.ARROW, arrow(pa.array(np.array([2**24], dtype=np.float32))), Form.JSON)
    assert (narrow.status_code, "of type float" in narrow.json()["detail"]) == (422, True)


@pytest.mark.parametrize("blank", [b"\n", b" \r\n"])
def test_blank_lines_without_end_are_refused(blank: bytes) -> None:
    splitter = LineSplitter(100, 1_000)
    assert [line.content for line in splitter.feed(blank * 300 + b"a\n" + blank * 300 + b"b\n")][-1] == b"b"
    with pytest.raises(BodyTooLarge, match="blank lines"):
        list(splitter.feed(blank * 1_001))
