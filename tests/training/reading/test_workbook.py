import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest

from tests.training.reading.tables import cells, only
from training.__main__ import main
from training.errors import UnreadableSource
from training.reading.read import read
from training.reading.source import open_file
from training.workspace import Workspace

HEADER = ["order", "client", "date", "price"]
AT = datetime.fromisoformat("2024-01-05 08:30")
ROWS: list[list[Any]] = [[1, "k1", AT, 10], [2, "k2", AT, 20.5]]
TEXTS = [["1", "k1", "2024-01-05T08:30:00", "10"], ["2", "k2", "2024-01-05T08:30:00", "20.5"]]


def workbook(file: Path, states: Mapping[str, str] | None = None, /, **sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = (states or {}).get(name, "visible")
        for row in rows:
            sheet.append(row)
    book.save(file)
    return file


@pytest.mark.parametrize(
    "above",
    [
        [["Sales report January 2024"]],
        [["Sales report"], [], ["exported", "2024-02-01"], []],
        [[None, "Sales report"], ["Region", "All"]],
        [[], [None, None, None, None]],
        [["Sales report", None, None, "page 1"]],
    ],
)
def test_a_title_above_the_header_is_not_read(workspace: Workspace, tmp_path: Path, above: list[list[Any]]) -> None:
    table = only(open_file(workbook(tmp_path / "a.xlsx", Sales=[*above, HEADER, *ROWS]), workspace))
    assert (table.names, cells(table)) == (tuple(HEADER), TEXTS)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([*ROWS, ["Total", None, None, 30.5]], "1 total row left out ('total')"),
        ([ROWS[0], ["Zwischensumme", None, None, 10], ROWS[1], ["Gesamt", None, None, 30.5]], "2 total rows left out"),
        ([ROWS[0], HEADER, ROWS[1]], "the header is repeated 1 time"),
        ([ROWS[0], [], [None, " ", None, None], ROWS[1], []], ""),
        ([*ROWS, [None, None, "Summe", 30.5]], "1 total row left out ('summe')"),
    ],
)
def test_rows_that_hold_no_data_are_left_out(
    workspace: Workspace, tmp_path: Path, rows: list[list[Any]], said: str
) -> None:
    source = open_file(workbook(tmp_path / "a.xlsx", Sales=[HEADER, *rows]), workspace)
    assert cells(only(source)) == TEXTS
    assert said in " ".join(source.notes)


def test_hidden_sheets_are_left_out_and_named(workspace: Workspace, tmp_path: Path) -> None:
    sheets: dict[str, list[list[Any]]] = {name: [HEADER, *ROWS] for name in ("Orders", "Draft", "Lists")}
    file = workbook(tmp_path / "a.xlsx", {"Draft": "hidden", "Lists": "veryHidden"}, **sheets)
    source = open_file(file, workspace)
    assert only(source).where == "a.xlsx, sheet 'Orders'"
    assert source.notes == ("a.xlsx: hidden sheets are not read: 'Draft', 'Lists'. To read one, name it with --sheet.",)


def test_sheets_are_chosen_by_name_hidden_ones_too(workspace: Workspace, tmp_path: Path) -> None:
    sheets: dict[str, list[list[Any]]] = {name: [HEADER, *ROWS] for name in ("One", "Two", "Three")}
    file = workbook(tmp_path / "a.xlsx", {"Three": "hidden"}, **sheets)
    chosen = open_file(file, workspace, ["Three", "One"])
    assert [table.where for table in chosen.tables] == ["a.xlsx, sheet 'One'", "a.xlsx, sheet 'Three'"]
    with pytest.raises(UnreadableSource, match=r"has no sheet 'Four', .* its sheets are 'One', 'Two', 'Three'"):
        open_file(file, workspace, ["Four"])


def test_a_workbook_whose_sheets_are_all_hidden_says_so(workspace: Workspace, tmp_path: Path) -> None:
    file = workbook(tmp_path / "a.xlsx", {"Notes": "visible", "Orders": "hidden"}, Notes=[], Orders=[HEADER, *ROWS])
    with pytest.raises(UnreadableSource, match="is empty"):
        open_file(file, workspace)


def test_a_sheet_without_a_header_is_named_and_the_others_are_read(workspace: Workspace, tmp_path: Path) -> None:
    file = workbook(tmp_path / "a.xlsx", Orders=[HEADER, *ROWS], Numbers=[[1, 2, 3], [4, 5, 6]], Empty=[])
    source = open_file(file, workspace)
    assert only(source).where == "a.xlsx, sheet 'Orders'"
    assert any(note.startswith("Not read: a.xlsx, sheet 'Numbers': no row names the columns") for note in source.notes)
    assert "Not read: a.xlsx, sheet 'Empty' is empty." in source.notes


@pytest.mark.parametrize("content", [b"PK\x03\x04 and nothing else", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)])
def test_a_damaged_workbook_is_refused_in_words(workspace: Workspace, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(UnreadableSource, match=r"a\.xlsx: the .*workbook is damaged[^()]*$"):
        open_file(tmp_path / "a.xlsx", workspace)


def test_the_command_line_names_sheets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(workbook(tmp_path / "a.xlsx", None, One=[HEADER, *ROWS], Two=[HEADER, *ROWS]))
    assert main(["inspect", file]) == 1
    assert "--sheet NAME" in capsys.readouterr().err
    assert main(["inspect", file, "--sheet", "Two", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"][0]["rows"] == len(ROWS)


def test_numbers_of_cells_are_never_ambiguous(workspace: Workspace, tmp_path: Path) -> None:
    rows = [[1, "k1", AT, 1.234], [2, "k2", AT, 15.125], [3, "k3", AT, -2.5]]
    lines = read([str(workbook(tmp_path / "a.xlsx", Sales=[HEADER, *rows]))], workspace)
    assert lines.table.order_by("line").price.to_pyarrow().to_pylist() == [1.234, 15.125, -2.5]


def test_ids_that_a_sheet_rounded_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    file = workbook(tmp_path / "a.xlsx", Sales=[HEADER, [1, 6.21e15 * 2, AT, 10.5], [2, 2.0**53 + 2, AT, 20.5]])
    with pytest.raises(UnreadableSource, match=r"column 'client' has 2 values .* a spreadsheet rounded them"):
        read([str(file)], workspace)
