"""Every form that a batch can be sent and answered in says the same."""

import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from models.features import FEATURE
from models.model import SegmentationModel
from service.errors import BodyTooLarge, InvalidRequest
from service.forms.arrow_stream import ArrowReader
from service.forms.csv_table import CsvReader
from service.forms.form import MOST_LINE_BYTES, Form
from service.forms.ndjson import NdjsonReader
from service.forms.reader import Chunk, Reader
from service.served_model import Limits, ServedModel
from service.store.database import open_engine
from service.store.schema import assignments
from tests.service.forms.cases import cases_in
from tests.service.forms.sent import (
    GOOD_AND_BAD,
    SENT,
    Items,
    answered,
    as_arrow,
    as_csv,
    as_ndjson,
    but_for_ids,
    ipc,
    post,
    rows_of,
)
from tests.service.requests import AS_OF, FEATURES, by_features, by_transactions, line
from tests.service.serving import TestClient

MOST = 1_000_000

STREAMS = [Form.NDJSON, Form.CSV, Form.ARROW]


@pytest.fixture(scope="session")
def served(model: SegmentationModel) -> ServedModel:
    return ServedModel(model, None, Limits(batch=10_000, transactions=10_000))


@pytest.mark.parametrize("accept", list(Form))
@pytest.mark.parametrize("sent", SENT)
def test_every_form_in_every_form_answers_as_the_list_does(shared_client: TestClient, sent: str, accept: Form) -> None:
    expected = answered(post(shared_client, "list", SENT["list"][1](GOOD_AND_BAD)))
    found = answered(post(shared_client, sent, SENT[sent][1](GOOD_AND_BAD), accept))
    assert but_for_ids(found) == but_for_ids(expected)
    assert [row["index"] for row in found if row["problem"]] == [1, 3, 4, 6]
    ids = [row["assignment_id"] for row in found if not row["problem"]]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("accept", list(Form))
@pytest.mark.parametrize("sent", SENT)
def test_transactions_are_grouped_by_customer_in_every_form(
    shared_client: TestClient, shoppers: Mapping[str, Any], sent: str, accept: Form
) -> None:
    items = [by_transactions(*lines, customer_id=name) for name, lines in list(shoppers.items())[:12]]
    items[3] = by_transactions(line(invoice_date="2011-12-11T00:00:00Z"), customer_id="later")
    expected = answered(post(shared_client, "list", SENT["list"][1](items)))
    found = answered(post(shared_client, sent, SENT[sent][1](items), accept))
    assert but_for_ids(found) == but_for_ids(expected)
    assert [row["index"] for row in found if row["problem"]] == [3]


@pytest.mark.parametrize("accept", list(Form))
@pytest.mark.parametrize("sent", SENT)
def test_a_dry_run_answers_the_same_and_stores_nothing(
    shared_client: TestClient, shared_url: str, sent: str, accept: Form
) -> None:
    body = SENT[sent][1](GOOD_AND_BAD)
    expected = answered(post(shared_client, sent, body, accept))
    before = rows_stored(shared_url)
    found = answered(post(shared_client, sent, body, accept, query="?dry_run=true"))
    assert but_for_ids(found) == but_for_ids(expected)
    assert {row["assignment_id"] for row in found if not row["problem"]} == {None}
    assert rows_stored(shared_url) == before


@pytest.mark.parametrize("sent", SENT)
def test_what_is_answered_is_what_is_stored(client: TestClient, store_url: str, sent: str) -> None:
    found = answered(post(client, sent, SENT[sent][1](GOOD_AND_BAD), Form.ARROW))
    engine = open_engine(store_url)
    with engine.connect() as connection:
        stored = {row.id: row for row in connection.execute(sa.select(assignments))}
    engine.dispose()
    good = [row for row in found if not row["problem"]]
    assert {row["assignment_id"] for row in good} == set(stored)
    for row in good:
        kept = stored[row["assignment_id"]]
        assert (kept.customer_id, kept.as_of, kept.segment_id) == (row["customer_id"], row["as_of"], row["segment_id"])
        assert (kept.confidence, kept.runner_up_id) == (row["confidence"], row["runner_up_id"])
        sent_features = GOOD_AND_BAD[row["index"]]["features"]
        assert kept.features == sent_features


@pytest.mark.parametrize("form", STREAMS)
def test_thousands_by_columns_are_answered_as_by_requests(
    shared_client: TestClient, model: SegmentationModel, form: Form
) -> None:
    rng = np.random.default_rng(3)
    values = np.array(model.reference.values)[rng.integers(len(model.reference.values), size=5_000)]
    values = values * rng.uniform(0.5, 1.5, size=(5_000, 1))
    values = np.maximum(values, [FEATURE[name].low for name in model.features])
    items = [
        {"customer_id": str(index), "features": dict(zip(model.features, row, strict=True)), "as_of": AS_OF}
        for index, row in enumerate(values.tolist())
    ]
    expected = answered(post(shared_client, "list", json.dumps(items).encode()))
    encode: Mapping[Form, Callable[[Items], bytes]] = {
        Form.NDJSON: as_ndjson,
        Form.CSV: as_csv,
        Form.ARROW: partial(as_arrow, at_once=3_000),
    }
    assert but_for_ids(answered(post(shared_client, form, encode[form](items)))) == but_for_ids(expected)


def test_customers_may_be_numbers_and_numbers_of_any_size_in_arrow(shared_client: TestClient) -> None:
    names = list(FEATURES)
    columns: dict[str, Any] = {name: pa.array([FEATURES[name]] * 3, pa.int16()) for name in names if name != "monetary"}
    columns["monetary"] = pa.array([812.5] * 3, pa.float32())
    columns["customer_id"] = pa.array([17850, None, 3], pa.int64())
    columns["as_of"] = pa.array([15_318, None, 15_000], pa.date32())
    first, second, third = answered(post(shared_client, Form.ARROW, ipc(pa.table(columns), 3)))
    assert (first["customer_id"], third["customer_id"]) == ("17850", "3")
    assert first["as_of"].isoformat() == "2011-12-10T00:00:00+00:00"
    assert second["problem"]["errors"][0]["pointer"] == "/customer_id"


# Borders -------------------------------------------------------------------------------------------

MIXED = [*GOOD_AND_BAD, by_features("9,\n\"10\"\r\n,", frequency=3.0), by_features("11")]  # fmt: skip


def readers(served: ServedModel) -> Mapping[Form, Reader]:
    return {
        Form.NDJSON: NdjsonReader(served, 4, MOST),
        Form.CSV: CsvReader(served, 4, MOST),
        Form.ARROW: ArrowReader(served, 4, 1_000_000),
    }


@given(data=st.data())
@settings(max_examples=60)
@pytest.mark.parametrize("form", STREAMS)
@pytest.mark.parametrize("kind", ["features", "transactions"])
def test_where_the_bytes_are_cut_does_not_matter(
    served: ServedModel, form: Form, kind: str, data: st.DataObject
) -> None:
    items = (
        MIXED
        if kind == "features"
        else [by_transactions(line(), line(quantity=n), customer_id=str(n)) for n in range(1, 6)]
    )
    encode = {Form.NDJSON: as_ndjson, Form.CSV: as_csv, Form.ARROW: as_arrow}[form]
    body = encode(items)
    whole = readers(served)[form]
    expected = cases_in([*whole.feed(body), *whole.end()], served)
    assert len(expected) == len(items)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=30)))
    reader = readers(served)[form]
    chunks: list[Chunk] = []
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        chunks += reader.feed(body[start:end])
    assert cases_in([*chunks, *reader.end()], served) == expected


# What is wrong -------------------------------------------------------------------------------------


def problems(response: httpx.Response) -> dict[int, dict[str, Any]]:
    return {row["index"]: row["problem"] for row in answered(response) if row["problem"]}


def test_a_bad_line_fails_alone_and_is_named(shared_client: TestClient) -> None:
    good = json.dumps(by_features()).encode()
    body = b"\n".join([good, b"not json", b"", b"[1]", b"\xff\xfe", good])
    found = problems(post(shared_client, Form.NDJSON, body))
    assert list(found) == [1, 2, 3]
    assert "line 2 is not JSON" in found[1]["detail"]
    assert "must be an object" in found[2]["detail"]
    assert "line 5 is not JSON" in found[3]["detail"]


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("2,5", "line 3 has 2 cells and the header"),
        ('2,"5"x', "line 3 cannot be read as CSV"),
        ("2,5 apples,5,812.5,200,47,40", "/features/recency: is \"5 apples\", and must be a number"),
        ("2,1_0,5,812.5,200,47,40", "must be a number"),
        ("2,nan,5,812.5,200,47,40", "/features/recency: is missing; send it"),
        (",12,5,812.5,200,47,40", "/customer_id"),
        ("2,,5,812.5,200,47,40", "/features/recency: is missing"),
        (b"\xff,12,5,812.5,200,47,40", "line 3 is not text in UTF-8"),
    ],
)  # fmt: skip
def test_a_bad_row_fails_alone_and_is_named(shared_client: TestClient, row: str | bytes, wrong: str) -> None:
    raw = row if isinstance(row, bytes) else row.encode()
    head = ",".join(["customer_id", *FEATURES]).encode()
    good = b"1,12,5,812.5,200,47,40"
    found = problems(post(shared_client, Form.CSV, b"\xef\xbb\xbf" + b"\r\n".join([head, good, raw, good, b""])))
    assert list(found) == [1]
    assert wrong in found[1]["detail"]


@pytest.mark.parametrize("form", [Form.NDJSON, Form.CSV])
def test_a_line_of_a_megabyte_is_refused_and_the_next_is_read(shared_client: TestClient, form: Form) -> None:
    items = [by_features("1"), by_features("x" * MOST_LINE_BYTES), by_features("3")]
    found = problems(post(shared_client, form, {Form.NDJSON: as_ndjson, Form.CSV: as_csv}[form](items)))
    assert list(found) == [1]
    assert (found[1]["status"], found[1]["type"]) == (413, "urn:segmentation:problem:content-too-large")
    assert f"line {3 if form is Form.CSV else 2} has more than 1,048,576 bytes" in found[1]["detail"]


def test_a_bad_row_amid_transactions_fails_its_customer_only(shared_client: TestClient) -> None:
    columns, rows = rows_of([by_transactions(line(), line(), customer_id=name) for name in ("1", "2", "3")])
    table = [",".join(columns), *(",".join(str(row[name]) for name in columns) for row in rows)]
    amid = problems(post(shared_client, Form.CSV, "\n".join([*table[:4], "2,x", *table[4:]]).encode()))
    assert list(amid) == [1]
    assert "line 5 has 2 cells" in amid[1]["detail"]
    between = problems(post(shared_client, Form.CSV, "\n".join([*table[:5], "2,x", *table[5:]]).encode()))
    assert list(between) == [2]


def test_more_transactions_than_a_customer_may_have_fail_that_customer(shared_client: TestClient) -> None:
    items = [by_transactions(*[line()] * 10_001, customer_id="1"), by_transactions(line(), customer_id="2")]
    found = problems(post(shared_client, Form.CSV, as_csv(items)))
    assert list(found) == [0]
    assert "one request; send features, which python -m training features works out" in found[0]["detail"]


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        (["customer_id", "recency"], "lacks the column 'frequency'"),
        (["recency", *FEATURES], "lacks the column 'customer_id'"),
        (["customer_id", *FEATURES, "colour"], "the column 'colour' is not known"),
        (["customer_id", *FEATURES, "recency"], "the column 'recency' is there twice"),
        (["customer_id", "quantity", "invoice_date"], "lacks the column 'unit_price'"),
    ],
)
def test_a_table_that_the_model_cannot_read_is_refused_whole(
    shared_client: TestClient, columns: list[str], wrong: str
) -> None:
    bodies = {
        Form.CSV: ",".join(columns).encode(),
        Form.JSON: json.dumps({"columns": columns, "rows": []}).encode(),
    }
    for form, body in bodies.items():
        response = post(shared_client, form, body)
        assert response.status_code == 422
        assert wrong in response.json()["detail"]


def test_arrow_that_breaks_keeps_what_was_answered_and_says_why(shared_client: TestClient) -> None:
    body = as_arrow([by_features(str(index)) for index in range(9)], 3)
    for broken, why in ((body[:-400], "breaks off"), (body[:-8] + b"\x00" * 100, "is none where a message")):
        found = answered(post(shared_client, Form.ARROW, broken, Form.NDJSON))
        whole = [row for row in found if not row["problem"]]
        assert len(whole) in (6, 9)
        assert len(found) == len(whole) + 1
        assert why in found[-1]["problem"]["detail"]
        for row in whole:
            assert shared_client.get(f"/customers/{row['customer_id']}").status_code == 200


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"", "has no schema"),
        (b"ARROW1\x00\x00" + b"x" * 100, "send the stream form"),
        (b"\xff\xff\xff\xff\x40\x00\x00\x00" + b"\xff" * 64, "cannot be read"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\xff" * 64, "impossible size"),
        (b"garbage", "breaks off"),
    ],
)
def test_what_is_no_arrow_is_refused(shared_client: TestClient, body: bytes, wrong: str) -> None:
    response = post(shared_client, Form.ARROW, body)
    assert response.status_code == 422
    assert wrong in response.json()["detail"]


@given(data=st.data())
@settings(max_examples=150)
def test_damaged_arrow_is_answered_and_never_read_beyond_its_buffers(served: ServedModel, data: st.DataObject) -> None:
    body = bytearray(as_arrow(GOOD_AND_BAD, coded=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    reader = ArrowReader(served, 4, 1_000_000)
    with suppress(InvalidRequest, BodyTooLarge):  # and nothing else
        cases_in([*reader.feed(bytes(body)), *reader.end()], served)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_compressed_arrow_buffers_are_refused_with_another_way(shared_client: TestClient, codec: str) -> None:
    out = io.BytesIO()
    table = pa.Table.from_pylist(rows_of([by_features(as_of=None)] * 50)[1]).drop_columns(["as_of"])
    with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as stream:
        stream.write_table(table)
    response = post(shared_client, Form.ARROW, out.getvalue())
    assert response.status_code == 422
    assert "Content-Encoding: zstd" in response.json()["detail"]


def test_a_column_of_a_type_that_says_nothing_is_refused(shared_client: TestClient) -> None:
    columns: dict[str, Any] = {name: [value] for name, value in FEATURES.items()}
    columns["recency"] = pa.array([[1.0]], pa.list_(pa.float64()))
    response = post(shared_client, Form.ARROW, ipc(pa.table({"customer_id": ["1"], **columns}), 1))
    assert response.status_code == 422
    assert "the column 'recency' is of type list" in response.json()["detail"]


# Headers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", Form.NDJSON),
        ("*/*", Form.NDJSON),
        ("text/html, */*;q=0.1", Form.NDJSON),
        ("application/json", Form.JSON),
        ("application/json;q=0.5, text/csv;q=0.9", Form.CSV),
        ("application/x-ndjson;q=0, */*", Form.JSON),
        ("text/*", Form.CSV),
        ("TEXT/CSV; Q=0.3, application/json;q=0.2", Form.CSV),
    ],
)
def test_the_answer_has_the_form_that_is_liked_best(shared_client: TestClient, accept: str, kind: Form) -> None:
    response = post(shared_client, Form.NDJSON, as_ndjson([by_features()]), accept)
    assert response.headers["content-type"].partition(";")[0] == kind


@pytest.mark.parametrize("accept", ["text/html", "*/*;q=0", "application/json;q=nonsense"])
def test_what_cannot_be_answered_is_told_before_anything_is_stored(
    shared_client: TestClient, shared_url: str, accept: str
) -> None:
    before = rows_stored(shared_url)
    response = post(shared_client, Form.NDJSON, as_ndjson([by_features()]), accept)
    assert (response.status_code, response.json()["type"]) == (406, "urn:segmentation:problem:not-acceptable")
    assert rows_stored(shared_url) == before


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "text/csv; charset=latin-1"])
def test_another_type_is_refused_with_those_there_are(shared_client: TestClient, kind: str) -> None:
    response = shared_client.post("/segment/batch", content=b"x", headers={"content-type": kind})
    assert response.status_code == 415
    assert response.json()["type"] == "urn:segmentation:problem:unsupported-media-type"


def test_an_empty_stream_is_answered_with_nothing(shared_client: TestClient) -> None:
    assert answered(post(shared_client, Form.NDJSON, b"")) == []
    assert answered(post(shared_client, Form.NDJSON, b"\n\n", Form.JSON)) == []
    assert answered(post(shared_client, Form.CSV, ",".join(["customer_id", *FEATURES]).encode(), Form.ARROW)) == []
    assert post(shared_client, Form.CSV, b"").status_code == 422


@pytest.mark.parametrize("said", ["1", "yes", "", "TRUE"])
def test_a_dry_run_that_is_neither_true_nor_false_is_refused(shared_client: TestClient, said: str) -> None:
    response = post(shared_client, Form.JSON, b"[]", query=f"?dry_run={said}")
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "dry_run"


def rows_stored(url: str) -> int:
    engine = open_engine(url)
    with engine.connect() as connection:
        found = connection.execute(sa.select(sa.func.count()).select_from(assignments)).scalar_one()
    engine.dispose()
    return found
