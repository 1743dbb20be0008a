import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.reading.tables import cells, only, opened
from training.errors import UnreadableSource
from training.workspace import Workspace

RECORDS: list[dict[str, Any]] = [
    {"order": 1, "client": "k1", "price": 10.50},
    {"order": 2, "client": "Müller, [x]", "price": None},
]
NAMES = ("order", "client", "price")
CELLS = [["1", "k1", "10.5"], ["2", "Müller, [x]", ""]]


def by_line(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(RECORDS).encode(),
        json.dumps(RECORDS, indent=2, ensure_ascii=False).encode("utf-8-sig"),
        json.dumps(RECORDS, ensure_ascii=False).encode("utf-16"),
        json.dumps({"orders": RECORDS}).encode(),
        json.dumps({"count": 2, "next": None, "data": {"orders": RECORDS}}).encode(),
        by_line(RECORDS).encode(),
        ("\n" + by_line(RECORDS).replace("\n", "\r\n\r\n")).encode(),
        gzip.compress(json.dumps(RECORDS).encode(), mtime=0),
    ],
)
def test_records_are_rows(workspace: Workspace, tmp_path: Path, content: bytes) -> None:
    table = only(opened(tmp_path / "a.json", content, workspace))
    assert (table.names, cells(table)) == (NAMES, CELLS)


def test_numbers_are_what_the_file_writes(workspace: Workspace, tmp_path: Path) -> None:
    content = '[{"id": 12345678901234567890, "price": 2.50, "rate": 1e-3, "weight": 1.234, "paid": true}]'
    # A fourth decimal tells a decimal point from one between thousands.
    assert cells(only(opened(tmp_path / "a.json", content, workspace))) == [
        ["12345678901234567890", "2.50", "1e-3", "1.2340", "true"]
    ]


def test_a_field_that_only_later_records_have_is_a_column(workspace: Workspace, tmp_path: Path) -> None:
    table = only(opened(tmp_path / "a.json", '[{"a": "1"}, {"b": "2", "a": "3"}]', workspace))
    assert (table.names, cells(table)) == (("a", "b"), [["1", ""], ["3", "2"]])


def test_objects_inside_are_columns_with_both_names(workspace: Workspace, tmp_path: Path) -> None:
    record = {"id": 1, "customer": {"email": "x", "address": {"country": "UK"}}, "tags": ["a", "b"]}
    table = only(opened(tmp_path / "a.json", json.dumps([record]), workspace))
    assert table.names == ("id", "customer.email", "customer.address.country", "tags")
    assert cells(table) == [["1", "x", "UK", '["a", "b"]']]


def test_each_item_of_a_list_inside_is_a_row_with_its_records_values(workspace: Workspace, tmp_path: Path) -> None:
    orders = [
        {"id": 1, "line_items": [{"sku": "A", "price": 2}, {"sku": "B", "tax": {"rate": 5}}], "discounts": [{"x": 1}]},
        {"id": 2, "line_items": [], "discounts": [{"x": 1}, {"x": 2}, {"x": 3}]},
    ]
    source = opened(tmp_path / "a.json", json.dumps({"orders": orders}), workspace)
    table = only(source)
    assert table.names == ("id", "line_items", "line_items.sku", "line_items.price", "line_items.tax.rate")
    assert [row[:1] + row[2:] for row in cells(table)] == [["1", "A", "2", ""], ["1", "B", "", "5"], ["2", "", "", ""]]
    assert "a.json: each item of 'line_items' is a row, with the values of its record." in source.notes
    assert "a.json: not read: the lists 'discounts'." in source.notes


def test_one_order_with_its_lines_is_one_record(workspace: Workspace, tmp_path: Path) -> None:
    order = {"id": 1, "client": "k1", "items": [{"sku": "A"}, {"sku": "B"}]}
    assert cells(only(opened(tmp_path / "a.json", json.dumps(order), workspace))) == [
        ["1", "k1", "A"],
        ["1", "k1", "B"],
    ]


def test_a_header_in_brackets_is_csv(workspace: Workspace, tmp_path: Path) -> None:
    assert only(opened(tmp_path / "a.csv", "[order],[client]\n1,k1\n", workspace)).names == ("[order]", "[client]")


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ('[{"a": 1},\n {"a": 2]', "line 2 is not JSON. Export the file anew."),
        ('{"a": 1}\n{"a": 2}\n{"a": ', "line 3 is not JSON"),
        ('{"a": 1}\n[2]\n', "line 2 is no record; expected is a list of records"),
        ('{"orders": [{"a": 1}], "people": [{"b": 1}]}', "holds 2 lists of records"),
        ('{"a": {"0": 1, "1": 2}}', "there is no list of records; expected is"),
        ("[[1, 2], [3, 4]]", "there is no list of records"),
        ('{"a":' * 100_000, "is not JSON"),
        ("[{}]", "there are no records"),
    ],
)
def test_other_json_is_refused_with_what_is_expected(
    workspace: Workspace, tmp_path: Path, content: str, advice: str
) -> None:
    with pytest.raises(UnreadableSource, match=rf"^a\.json.* {advice}"):
        opened(tmp_path / "a.json", content, workspace)
