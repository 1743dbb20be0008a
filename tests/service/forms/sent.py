"""The same customers in every form that a batch can be sent in, and what any form answers as rows."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx
import pyarrow as pa

from service.forms.form import Form
from tests.service.requests import AS_OF, by_features

Items = Sequence[Mapping[str, Any]]

GOOD_AND_BAD = [
    by_features("1", recency=3.0, monetary=0.1 + 0.2),
    by_features("2", recency=-1.0),
    by_features("drei, \"vier\" & fünf", frequency=2.0),
    by_features("4", frequency=None),
    by_features("5", as_of="2099-01-01T00:00:00Z"),
    by_features(" 6.0 ", return_rate=0.25),
    by_features("7", monetary=1e300),
    by_features("8", recency=300.0, frequency=1.0),
]  # fmt: skip


def rows_of(items: Items) -> tuple[list[str], list[dict[str, Any]]]:
    """The customers as a table: its columns, and its rows, in which what is not known is None."""
    rows = []
    for item in items:
        lines = item["transactions"] if "transactions" in item else [item["features"]]
        rows += [{"customer_id": item["customer_id"], "as_of": item.get("as_of"), **line} for line in lines]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return columns, [{name: row.get(name) for name in columns} for row in rows]


def as_list(items: Items) -> bytes:
    return json.dumps(items).encode()


def as_columns_and_rows(items: Items) -> bytes:
    columns, rows = rows_of(items)
    return json.dumps({"columns": columns, "rows": [list(row.values()) for row in rows]}).encode()


def as_ndjson(items: Items) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def as_csv(items: Items) -> bytes:
    columns, rows = rows_of(items)
    text = io.StringIO()
    table = csv.DictWriter(text, columns)
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode()


def as_arrow(items: Items, at_once: int = 3, coded: bool = False) -> bytes:
    """Record batches of a few rows; `coded` texts are dictionary-encoded."""
    table = pa.Table.from_pylist(rows_of(items)[1])
    for name in ("as_of", "invoice_date"):
        if name in table.column_names:
            moments = [value and datetime.fromisoformat(value) for value in table[name].to_pylist()]
            table = table.set_column(table.column_names.index(name), name, pa.array(moments, pa.timestamp("ms", "UTC")))
    if coded:
        for index, field in enumerate(table.schema):
            if field.type == pa.string():
                table = table.set_column(index, field.name, table.column(index).dictionary_encode())
    return ipc(table, at_once)


def as_coded_arrow(items: Items) -> bytes:
    return as_arrow(items, coded=True)


def ipc(table: pa.Table, at_once: int) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table, max_chunksize=at_once)
    return out.getvalue()


SENT: Mapping[str, tuple[Form, Callable[[Items], bytes]]] = {
    "list": (Form.JSON, as_list),
    "columns and rows": (Form.JSON, as_columns_and_rows),
    "ndjson": (Form.NDJSON, as_ndjson),
    "csv": (Form.CSV, as_csv),
    "arrow": (Form.ARROW, as_arrow),
    "arrow with dictionaries": (Form.ARROW, as_coded_arrow),
}


def answered(response: httpx.Response) -> list[dict[str, Any]]:
    """The results in whatever form, each as it is in CSV and Arrow."""
    assert response.status_code == 200, response.text
    kind = response.headers["content-type"].partition(";")[0]
    if kind == Form.ARROW:
        rows = pa.ipc.open_stream(response.content).read_all().to_pylist()
        return [told(row) for row in rows]
    if kind == Form.CSV:
        return [told(row) for row in csv.DictReader(io.StringIO(response.content.decode("utf-8"), newline=""))]
    if kind == Form.NDJSON:
        return [flat(json.loads(line)) for line in response.content.splitlines()]
    whole = response.json()
    assert whole["assigned"] == sum("answer" in one for one in whole["results"])
    assert whole["failed"] == sum("problem" in one for one in whole["results"])
    return [flat(one) for one in whole["results"]]


def flat(result: Mapping[str, Any]) -> dict[str, Any]:
    if "problem" in result:
        return {"index": result["index"], "problem": without_id(result["problem"])}
    answer = result["answer"]
    return {
        "index": result["index"],
        "customer_id": answer["customer_id"],
        "assignment_id": answer["assignment_id"],
        "as_of": datetime.fromisoformat(answer["as_of"]),
        "model_version": answer["model_version"],
        "segment_id": answer["segment"]["id"],
        "segment": answer["segment"]["name"],
        "confidence": answer["confidence"],
        "runner_up_id": answer["runner_up"]["id"],
        "runner_up": answer["runner_up"]["name"],
        "decays_on": answer["decays_on"],
        "becomes_id": answer["becomes"] and answer["becomes"]["id"],
        "products": " ".join(answer["recommendation"]["products"]),
        "problem": None,
    }


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of CSV or Arrow with its texts as values."""
    found: dict[str, Any] = {name: None if value == "" else value for name, value in row.items()}
    if found["problem"] is not None:
        assert [name for name, value in found.items() if value is not None] == ["index", "problem"]
        return {"index": int(found["index"]), "problem": without_id(json.loads(found["problem"]))}
    for name in ("index", "segment_id", "runner_up_id"):
        found[name] = int(found[name])
    found["becomes_id"] = found["becomes_id"] and int(found["becomes_id"])
    found["confidence"] = float(found["confidence"])
    found["decays_on"] = found["decays_on"] and str(found["decays_on"])
    if isinstance(found["as_of"], str):
        found["as_of"] = datetime.fromisoformat(found["as_of"])
    return found


def without_id(problem: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in problem.items() if name != "request_id"}


def but_for_ids(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "assignment_id"} for row in rows]


def post(client: Any, sent: str | Form, body: bytes, accept: str | None = None, **headers: str) -> httpx.Response:
    kind = SENT[sent][0] if sent in SENT else sent
    given = {"content-type": str(kind), **({"accept": accept} if accept else {"accept": ""})}
    query = headers.pop("query", "")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response: httpx.Response = client.post(f"/segment/batch{query}", content=body, headers={**given, **named})
    return response


__all__ = ["AS_OF", "GOOD_AND_BAD", "SENT", "answered", "but_for_ids", "post"]
