from pathlib import Path

import pytest

from tests.training.reading.tables import CELLS, HEADER, cells, only, opened
from training.errors import UnreadableSource
from training.workspace import Workspace

NAMES = HEADER.split(",")


def table(*rows: list[str], cell: str = "td") -> str:
    lines = "".join("<tr>" + "".join(f"<{cell}>{text}</{cell}>" for text in row) + "</tr>\n" for row in rows)
    return f"<table border=1>{lines}</table>"


@pytest.mark.parametrize(
    "content",
    [
        table(NAMES, *CELLS),
        f"<!DOCTYPE html>\n<html><head><style>td {{ }}</style></head><body>{table(NAMES, *CELLS)}</body></html>",
        f"\ufeff\r\n<html xmlns:x='urn:schemas-microsoft-com:office:excel'><body>{table(NAMES, *CELLS, cell='TD')}",
        table(["Sales report"], NAMES, *CELLS, ["Total", "", "", "60.50"]),
        table(NAMES, *CELLS).replace("</td>", "").replace("</tr>", ""),
        table(NAMES, *CELLS).replace("<td>", "<td style='x'><b>&nbsp;").replace("</td>", "</b></td>"),
        f"<table><tr><td>{table(NAMES, *CELLS)}</td></tr></table>",
    ],
)
def test_the_table_of_a_page_is_read_under_whatever_name(workspace: Workspace, tmp_path: Path, content: str) -> None:
    source = opened(tmp_path / "a.xls", content, workspace)
    assert (only(source).names, cells(only(source))) == (tuple(NAMES), CELLS)
    assert "a.xls is a page in HTML; its tables are read." in source.notes


def test_a_cell_over_several_columns_leaves_the_others_in_their_place(workspace: Workspace, tmp_path: Path) -> None:
    content = table(NAMES, *CELLS) + "<table><tr><td colspan=3>x</td><td>y</td></tr></table>"
    merged = content.replace("<tr><td>1</td><td>k1</td>", "<tr><td colspan='2'>1</td>")
    assert cells(only(opened(tmp_path / "a.xls", merged, workspace)))[0] == ["1", "", *CELLS[0][2:]]


def test_every_table_of_a_page_is_a_table(workspace: Workspace, tmp_path: Path) -> None:
    source = opened(tmp_path / "a.html", table(NAMES, *CELLS) + table(["x", "y"], ["1", "a"]), workspace)
    assert [one.where for one in source.tables] == ["a.html, table 1", "a.html, table 2"]


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        ("<html><body><h1>Please log in</h1></body></html>", "is a page in HTML without a table of data"),
        ("<?xml version='1.0'?><orders><order/></orders>", "is XML. Export the purchases as CSV, XLSX or JSON"),
        (
            '<?xml version="1.0"?>\n<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Table/></Workbook>',
            r"is an XML spreadsheet of Excel 2003. Open it in Excel and save it as a workbook \(\.xlsx\)",
        ),
        (table(["1", "2", "3"], ["4", "5", "6"]), "no row names the columns"),
        ("<html><table></table></html>", "without a table of data"),
    ],
)
def test_other_pages_are_refused_with_what_to_do(
    workspace: Workspace, tmp_path: Path, content: str, advice: str
) -> None:
    with pytest.raises(UnreadableSource, match=rf"a\.xls.* {advice}"):
        opened(tmp_path / "a.xls", content, workspace)
