import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.training.reading.tables import CELLS, HEADER, ROWS, cells, only, opened
from training.errors import UnreadableSource
from training.workspace import Workspace

NAMES = tuple(HEADER.split(","))


def text(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


# Above the header


@pytest.mark.parametrize(
    ("above", "line"),
    [
        (["Sales report 2024"], 2),
        (["Sales report 2024", "", "exported by shop"], 4),
        (["Sales report January 2024,,,", "Exported by shop,2024-02-01,,", ""], 4),
        (["Region,All,,", "Period,January,,"], 3),
        (["", "", "Orders of all shops,"], 4),
        (['"Report, with', 'two lines"'], 3),
    ],
)
def test_a_title_above_the_header_is_not_read(
    workspace: Workspace, tmp_path: Path, above: list[str], line: int
) -> None:
    source = opened(tmp_path / "a.csv", text(*above, HEADER, *ROWS), workspace)
    assert (only(source).names, cells(only(source))) == (NAMES, CELLS)
    assert f"a.csv: the header is line {line}; what is above it is not read." in source.notes


@pytest.mark.parametrize("sign", [",", ";", "\t", "|"])
@pytest.mark.parametrize("form", ["sep={}", '"sep={}"', "SEP={}"])
def test_a_first_line_that_tells_the_delimiter_is_no_row(
    workspace: Workspace, tmp_path: Path, sign: str, form: str
) -> None:
    content = text(form.format(sign), *(line.replace(",", sign) for line in (HEADER, *ROWS)))
    assert cells(only(opened(tmp_path / "a.csv", content, workspace))) == CELLS


def test_the_told_delimiter_comes_before_any_that_fits(workspace: Workspace, tmp_path: Path) -> None:
    table = only(opened(tmp_path / "a.csv", text("sep=;", "a,b;c,d", "1,5;2,5"), workspace))
    assert (table.names, cells(table), table.semicolons) == (("a,b", "c,d"), [["1,5", "2,5"]], True)


def test_decimal_commas_are_no_delimiters(workspace: Workspace, tmp_path: Path) -> None:
    rows = text("a;b;c;d", "1,5;2,5;3,5;4,5", "1,5;2,5;3,5;4,5")
    assert only(opened(tmp_path / "a.csv", rows, workspace)).names == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    "header",
    [
        ",client,date,price",
        "order,,date,price",
        "2019,2020,client,price",
        '"or\nder",client,date,price',
        "order id,client e-mail,date (UTC),price (£)",
    ],
)
def test_a_header_may_look_odd(workspace: Workspace, tmp_path: Path, header: str) -> None:
    table = only(opened(tmp_path / "a.csv", text(header, *ROWS), workspace))
    assert table.names == tuple(next(csv.reader(io.StringIO(header))))
    assert cells(table) == CELLS


@pytest.mark.parametrize("rows", [ROWS, ["dora@example.org,2024-01-05,10"] * 3, ["9,dora,red,UK,2024-01-05"] * 3])
def test_a_file_without_a_header_is_refused_without_its_values(
    workspace: Workspace, tmp_path: Path, rows: list[str]
) -> None:
    with pytest.raises(UnreadableSource, match=r"a\.csv: no row names the columns; .* Put a line above") as caught:
        opened(tmp_path / "a.csv", text(*rows), workspace)
    assert "dora" not in str(caught.value)


# Beside the columns


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (f"{HEADER},,,", [f"{row},,," for row in ROWS]),
        (HEADER, [f"{row}," for row in ROWS]),
        (HEADER, [ROWS[0], f"{ROWS[1]},,,", ROWS[2]]),
        (f"{HEADER},,", list(ROWS)),
        (f"{HEADER},", [ROWS[0], f"{ROWS[1]},", f"{ROWS[2]},"]),
        (HEADER, [*ROWS[:2], f"{ROWS[2]},,,,,,"]),
    ],
)
def test_empty_fields_behind_the_last_column_are_nothing(
    workspace: Workspace, tmp_path: Path, header: str, rows: list[str]
) -> None:
    table = only(opened(tmp_path / "a.csv", text(header, *rows), workspace))
    taken = [row[:4] for row in cells(table)]
    assert table.names[:4] == NAMES
    assert table.left_out == len(CELLS) - len(taken)
    assert all(row in taken for row in CELLS) or header.endswith(",")


# Between and below the rows


@pytest.mark.parametrize(
    ("total", "word"),
    [
        ("Total,,,60.50", "total"),
        ("Total,60.50", "total"),
        (",,Gesamt,60.50", "gesamt"),
        ("Summe:,,,60.50", "summe"),
        ("Grand Total,3,,60.50", "grand total"),
        ("Total général,,,60.50", "total général"),
        ("Итого,,,60.50", "итого"),
        ("合計,,,60.50", "合計"),
        ("Total,3,3,60.50", "total"),
        ("Average,,,20.17", "average"),
        ("TOTAL (EUR),,,€60.50", "total"),
    ],
)
def test_a_total_below_the_rows_is_left_out_and_named(
    workspace: Workspace, tmp_path: Path, total: str, word: str
) -> None:
    source = opened(tmp_path / "a.csv", text(HEADER, *ROWS, total), workspace)
    assert cells(only(source)) == CELLS
    assert f"a.csv: 1 total row left out ('{word}')." in source.notes


def test_totals_between_the_rows_are_left_out_without_what_they_are_of(workspace: Workspace, tmp_path: Path) -> None:
    lines = [ROWS[0], "k1 Total,,,10", *ROWS[1:], "", "Total,,,60.50", ",,,"]
    source = opened(tmp_path / "a.csv", text(HEADER, *lines), workspace)
    assert cells(only(source)) == CELLS
    assert "a.csv: 2 total rows left out ('total')." in source.notes


@pytest.mark.parametrize(
    "row",
    [
        "Total,k9,2024-01-05,10",  # an order that is called so
        "Totally,k9,2024-01-05,",
        "Sum of parts,,2024-01-05,10",
        "Total care shampoo,k9,,10",
    ],
)
def test_what_only_looks_like_a_total_is_a_row(workspace: Workspace, tmp_path: Path, row: str) -> None:
    assert cells(only(opened(tmp_path / "a.csv", text(HEADER, row, *ROWS), workspace))) == [row.split(","), *CELLS]


@pytest.mark.parametrize("between", [[HEADER], ["", HEADER], ["Sales report 2024", "", HEADER], [f"{HEADER},"]])
def test_a_header_that_comes_again_is_left_out(workspace: Workspace, tmp_path: Path, between: list[str]) -> None:
    source = opened(tmp_path / "a.csv", text(HEADER, *ROWS, *between, *ROWS), workspace)
    assert cells(only(source)) == CELLS * 2
    assert any("the header is repeated" in note for note in source.notes)


@pytest.mark.parametrize("other", ["client,order,date,price", "order,client,date,price,status", "order,client,date"])
def test_another_header_between_the_rows_is_refused(workspace: Workspace, tmp_path: Path, other: str) -> None:
    with pytest.raises(UnreadableSource, match=r"there is another header, .* give them as two files"):
        opened(tmp_path / "a.csv", text(HEADER, *ROWS, other, *ROWS), workspace)


@pytest.mark.parametrize("blank", ["", ",,,", "  ", " , ,,", '"",,,'])
def test_blank_rows_are_nothing_wherever_they_are(workspace: Workspace, tmp_path: Path, blank: str) -> None:
    content = text(blank, HEADER, blank, ROWS[0], blank, blank, *ROWS[1:], blank)
    assert cells(only(opened(tmp_path / "a.csv", content, workspace))) == CELLS


def test_a_line_in_words_below_the_rows_is_left_out(workspace: Workspace, tmp_path: Path) -> None:
    source = opened(tmp_path / "a.csv", text(HEADER, *ROWS, "End of report"), workspace)
    assert cells(only(source)) == CELLS
    assert "a.csv: 1 line of a single field left out." in source.notes


def test_advice_on_broken_lines_names_the_delimiter_and_no_engine(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource) as caught:
        opened(tmp_path / "a.csv", text(HEADER, *ROWS, "4,k4,2024-01-08,1,50"), workspace)
    assert str(caught.value) == (
        "a.csv: 1 of 4 lines do not have as many fields as the header, which has 4; the first is line 5. "
        "Quote values that hold ',' or a line end, or delete the lines that are no rows."
    )


def test_broken_quoting_is_said_in_words(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource) as caught:
        opened(tmp_path / "a.csv", text(HEADER, *ROWS, '4,"k4,2024-01-08,10', *ROWS), workspace)
    assert str(caught.value).startswith("a.csv: line 5 cannot be taken apart: a quoted value does not end")


# One table, however it is written

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1", "mac_roman")
WORDS = ("Crème brûlée", "Zürich", "5,50", 'say "hi"', "a;b|c", "plain", "two\nlines")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    encoding=st.sampled_from(ENCODINGS),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    title=st.lists(st.sampled_from(["", "Sales report", "exported by shop"]), max_size=4),
    told=st.booleans(),
    words=st.lists(st.sampled_from(WORDS), max_size=8),
    final=st.booleans(),
)
def test_one_table_gives_the_same_rows_however_it_is_written(
    workspace: Workspace,
    tmp_path: Path,
    encoding: str,
    delimiter: str,
    end: str,
    title: list[str],
    told: bool,
    words: list[str],
    final: bool,
) -> None:
    rows = [
        ["0", "Zürich, Café", "2024-01-05", "10"],
        *([f"{at}", word, "2024-01-05", "10"] for at, word in enumerate(words)),
    ]
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter, lineterminator="\n").writerows([NAMES, *rows])
    lines = [f"sep={delimiter}"] * told + [*title, target.getvalue().rstrip("\n")]
    content = "\n".join(lines).replace("\n", end) + end * final
    table = only(opened(tmp_path / "a.csv", content.encode(encoding), workspace))
    assert table.names == NAMES
    assert [[cell.replace("\r\n", "\n").replace("\r", "\n") for cell in row] for row in cells(table)] == rows
