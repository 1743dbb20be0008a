from pathlib import Path
from typing import Any

import pytest

from tests.training.reading.tables import saved
from tests.training.reading.test_workbook import workbook
from training.errors import UnreadableSource
from training.reading.options import ReadOptions
from training.reading.read import read
from training.workspace import Workspace

HEADER: list[Any] = ["client", "date", "price"]


def purchases(first: int, last: int) -> list[list[Any]]:
    return [[f"k{at}", f"2024-01-{at % 28 + 1:02}", at] for at in range(first, last)]


def test_sheets_that_repeat_rows_are_asked_about(workspace: Workspace, tmp_path: Path) -> None:
    file = workbook(tmp_path / "a.xlsx", All=[HEADER, *purchases(0, 40)], Some=[HEADER, *purchases(10, 20)])
    with pytest.raises(UnreadableSource) as caught:
        read([str(file)], workspace)
    assert str(caught.value) == (
        "10 of 10 rows are both in a.xlsx, sheet 'All' and in a.xlsx, sheet 'Some', and would count twice. Give only "
        "one of them: name the sheets to read with --sheet NAME, or leave out a file."
    )
    assert read([str(file)], workspace, ReadOptions(sheets=["All"])).rows == 40


@pytest.mark.parametrize("overlap", [1, 10, 40])
def test_files_that_overlap_are_asked_about(workspace: Workspace, tmp_path: Path, overlap: int) -> None:
    one = workbook(tmp_path / "1.xlsx", S=[HEADER, *purchases(0, 40)])
    two = workbook(tmp_path / "2.xlsx", S=[HEADER, *purchases(40 - overlap, 80 - overlap)])
    with pytest.raises(UnreadableSource, match=rf"^{overlap} of 40 rows are both in 1\.xlsx.* and in 2\.xlsx"):
        read([str(one), str(two)], workspace)


def test_columns_in_a_different_order_hide_no_repetition(workspace: Workspace, tmp_path: Path) -> None:
    saved(tmp_path / "1.csv", "client,date,price\nk1,2024-01-05,10\nk2,2024-01-06,20\n")
    saved(tmp_path / "2.csv", "price,client,date\n10,k1,2024-01-05\n20,k2,2024-01-06\n")
    with pytest.raises(UnreadableSource, match="2 of 2 rows are both in"):
        read([str(tmp_path)], workspace)


def test_months_in_sheets_of_their_own_are_added_up(workspace: Workspace, tmp_path: Path) -> None:
    sheets = {name: [HEADER, *purchases(first, first + 40)] for name, first in (("Jan", 0), ("Feb", 40), ("Mar", 80))}
    assert read([str(workbook(tmp_path / "a.xlsx", None, **sheets))], workspace).rows == 120


def test_a_coincidence_among_many_rows_is_none(workspace: Workspace, tmp_path: Path) -> None:
    one, two = purchases(0, 200), [*purchases(200, 399), purchases(0, 1)[0]]
    file = workbook(tmp_path / "a.xlsx", One=[HEADER, *one], Two=[HEADER, *two])
    assert read([str(file)], workspace).rows == 400


def test_with_invoice_and_product_a_repetition_is_only_said(workspace: Workspace, tmp_path: Path) -> None:
    for name in ("1.csv", "2.csv"):
        saved(tmp_path / name, "order,sku,client,date,price\n1,A,k1,2024-01-05,10\n")
    lines = read([str(tmp_path)], workspace)
    assert lines.rows == 2
    assert "1 of 1 rows are both in 1.csv and in 2.csv; the second ones count as duplicates." in lines.notes
