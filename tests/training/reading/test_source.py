# ruff: noqa: DTZ001 - `at` is in UTC and without a zone: that is the contract tested here.
import gzip
import hashlib
import os
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from sqlalchemy import create_engine, text

from training.errors import UnreadableSource
from training.reading.database import open_query
from training.reading.lines import SCHEMA, Lines
from training.reading.options import ReadOptions
from training.reading.plan import PlannedSource, plan_source
from training.reading.read import read
from training.reading.source import open_file
from training.reading.source_table import Opened
from training.workspace import Workspace

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
ROW = "536365,85123A,HEART,6,2010-12-01 08:26:00,2.55,17850,United Kingdom"
LINE = {
    "line": 0,
    "invoice": "536365",
    "product": "85123A",
    "description": "HEART",
    "quantity": 6.0,
    "at": datetime(2010, 12, 1, 8, 26),
    "price": 2.55,
    "customer": "17850",
    "country": "United Kingdom",
    "status": None,
    "rest": None,
    "unreadable": None,
}


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as opened:
        yield opened


@pytest.fixture(scope="module")
def complete(real_data: Path) -> Iterator[Lines]:
    with Workspace() as workspace:
        yield read([str(real_data / "online_retail.csv.gz")], workspace)


def rows(lines: Lines) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = lines.table.order_by("line").to_pyarrow().to_pylist()
    assert len(found) == lines.rows
    return found


def column(lines: Lines, name: str) -> list[Any]:
    return [row[name] for row in rows(lines)]


def written(file: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> str:
    file.write_bytes("".join(line + end for line in lines).encode(encoding))
    return str(file)


# What a file may look like


def test_a_plain_file_gives_one_line_per_row_with_types(workspace: Workspace, tmp_path: Path) -> None:
    lines = read([written(tmp_path / "shop.csv", HEADER, ROW)], workspace)
    assert rows(lines) == [LINE]
    assert list(lines.table.columns) == ["line", *SCHEMA]
    assert lines.has_time
    assert lines.present == set(SCHEMA) - {"unreadable", "status", "rest"}


def test_the_fingerprint_is_of_the_file_as_it_lies_on_disk(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "shop.csv.gz"
    file.write_bytes(gzip.compress(f"{HEADER}\n{ROW}\n{ROW}\n".encode()))
    (found,) = read([str(file)], workspace).fingerprint
    assert (found.name, found.rows, found.left_out) == ("shop.csv.gz", 2, 0)
    assert (found.sha256, found.bytes) == (hashlib.sha256(file.read_bytes()).hexdigest(), file.stat().st_size)


def test_gzip_and_zstandard_are_known_by_their_bytes_and_not_by_their_names(
    workspace: Workspace, tmp_path: Path
) -> None:
    content = f"{HEADER}\r\n{ROW}\r\n".encode()
    (tmp_path / "a.csv").write_bytes(gzip.compress(content))
    (tmp_path / "b.csv.zst").write_bytes(zstd.compress(content))
    lines = read([str(tmp_path / "a.csv"), str(tmp_path / "b.csv.zst")], workspace)
    assert rows(lines) == [LINE, {**LINE, "line": 1}]


def test_zstandard_files_put_together_are_one(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.csv.zst").write_bytes(b"".join(zstd.compress(f"{one}\n".encode()) for one in (HEADER, ROW)))
    assert rows(read([str(tmp_path / "a.csv.zst")], workspace)) == [LINE]


def test_a_pound_sign_in_the_last_line_of_a_long_file_makes_it_iso_8859_1(workspace: Workspace, tmp_path: Path) -> None:
    last = ROW.replace("HEART", "£5 HEART")
    lines = read([written(tmp_path / "shop.csv", HEADER, *[ROW] * 30_000, last, encoding="latin-1")], workspace)
    assert column(lines, "description")[-1] == "£5 HEART"
    assert lines.rows == 30_001
    assert "shop.csv: ISO-8859-1, fields separated by ','." in lines.notes


def test_windows_1252_is_told_from_iso_8859_1(workspace: Workspace, tmp_path: Path) -> None:
    lines = read([written(tmp_path / "a.csv", HEADER, ROW.replace("HEART", "“5 €”"), encoding="cp1252")], workspace)
    assert column(lines, "description") == ["“5 €”"]
    assert any("Windows-1252" in note for note in lines.notes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_is_read_with_and_without_a_mark(workspace: Workspace, tmp_path: Path, encoding: str) -> None:
    row = ROW.replace("HEART", "Grüße ♥")
    assert column(read([written(tmp_path / "a.csv", HEADER, row, encoding=encoding)], workspace), "description") == [
        "Grüße ♥"
    ]


def test_a_character_cut_by_the_end_of_a_chunk_is_still_utf_8(workspace: Workspace, tmp_path: Path) -> None:
    fill = "x" * ((1 << 20) - len(f"{HEADER}\n536365,85123A,") - 1)
    lines = read([written(tmp_path / "a.csv", HEADER, ROW.replace("HEART", f"{fill}♥"))], workspace)
    assert column(lines, "description") == [f"{fill}♥"]
    assert lines.notes[0].startswith("a.csv: UTF-8")


@pytest.mark.parametrize(("sign", "name"), [(";", "';'"), ("\t", "a tab"), ("|", "'|'")])
def test_the_delimiter_is_found(workspace: Workspace, tmp_path: Path, sign: str, name: str) -> None:
    file = written(tmp_path / "a.csv", HEADER.replace(",", sign), ROW.replace(",", sign))
    lines = read([file], workspace)
    assert rows(lines) == [LINE]
    assert f"a.csv: UTF-8, fields separated by {name}." in lines.notes


def test_quoted_values_may_hold_delimiters_quotes_and_line_ends(workspace: Workspace, tmp_path: Path) -> None:
    lines = read([written(tmp_path / "a.csv", HEADER, ROW.replace("HEART", '"5"" HEART, RED\nBIG"'))], workspace)
    assert column(lines, "description") == ['5" HEART, RED\nBIG']


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_before_the_header_and_after_the_rows_are_nothing(
    workspace: Workspace, tmp_path: Path, end: str
) -> None:
    assert rows(read([written(tmp_path / "a.csv", "", HEADER, ROW, "", end=end)], workspace)) == [LINE]


def test_a_file_whose_name_looks_like_a_pattern_is_one_file(workspace: Workspace, tmp_path: Path) -> None:
    written(tmp_path / "a1.csv", HEADER, ROW, ROW)
    assert read([written(tmp_path / "a[1]*.csv", HEADER, ROW)], workspace).rows == 1


def test_ragged_lines_are_counted_and_the_first_is_named(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", HEADER, *[ROW] * 150, "536366,22633", *[ROW] * 150, f"{ROW},more")
    lines = read([file], workspace)
    assert (lines.rows, lines.fingerprint[0].left_out) == (300, 2)
    assert "a.csv: 2 lines left out, not having as many fields as the header; the first is line 152." in lines.notes


def test_many_ragged_lines_are_an_error(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match=r"a\.csv: 1 of 11 lines .* the first is line 12"):
        read([written(tmp_path / "a.csv", HEADER, *[ROW] * 10, f"{ROW},more")], workspace)


def test_a_quote_that_never_closes_is_an_error_because_it_swallows_lines(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match=r"a\.csv: line 302 cannot be taken apart"):
        read([written(tmp_path / "a.csv", HEADER, *[ROW] * 300, '536365,85123A,"HEART,6', ROW, ROW)], workspace)


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (f"{HEADER}\n".encode(), "column 'InvoiceDate' is empty"),
        (gzip.compress(f"{HEADER}\n{ROW}\n".encode() * 99)[:-20], "damaged or cut short"),
        (zstd.compress(os.urandom(9_999))[:-2000], "damaged or cut short"),
        (b"PAR1 and nothing else", "the Parquet file is damaged"),
        (b"PK\x03\x04 and nothing else", "the zip file or workbook is damaged"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "neither a text file"),
    ],
)
def test_what_holds_no_rows_is_refused_with_a_sentence(
    workspace: Workspace, tmp_path: Path, content: bytes, trouble: str
) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UnreadableSource, match=trouble):
        read([str(tmp_path / "a.csv")], workspace)


# What values may look like


@pytest.mark.parametrize("customer", ["17850", "17850.0", " 17850 ", '" 17850 "'])
def test_one_customer_is_one_however_written(workspace: Workspace, tmp_path: Path, customer: str) -> None:
    lines = read([written(tmp_path / "a.csv", HEADER, ROW.replace("17850", customer))], workspace)
    assert column(lines, "customer") == ["17850"]


@pytest.mark.parametrize("customer", ["", "  ", "nan", "NULL", '""'])
def test_nobody_is_null(workspace: Workspace, tmp_path: Path, customer: str) -> None:
    lines = read([written(tmp_path / "a.csv", HEADER, ROW.replace("17850", customer))], workspace)
    assert column(lines, "customer") == [None]


def test_product_codes_keep_their_case_and_customers_their_leading_zeros(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", HEADER, ROW.replace("85123A", "85123a").replace("17850", "0017850"))
    assert [(row["product"], row["customer"]) for row in rows(read([file], workspace))] == [("85123a", "0017850")]


def test_a_value_that_cannot_be_read_is_told_from_one_that_is_missing(workspace: Workspace, tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.csv",
        HEADER,
        ROW,
        ROW.replace(",6,", ",six,"),
        ROW.replace(",6,", ",,"),
        ROW.replace("2.55", "inf"),
        ROW.replace("2010-12-01 08:26:00", "yesterday"),
    )
    lines = read([file], workspace)
    assert column(lines, "unreadable") == [
        None,
        "quantity 'six' is not a number",
        None,
        "price 'inf' is not a number",
        "date 'yesterday' is not a date",
    ]
    assert column(lines, "quantity") == [6.0, None, None, 6.0, 6.0]
    assert lines.notes[-1] == (
        "Rows holding a value that cannot be read: 3; the first is row 2: quantity 'six' is not a number."
    )


def test_decimal_commas_between_semicolons_are_read(workspace: Workspace, tmp_path: Path) -> None:
    header, row = HEADER.replace(",", ";"), ROW.replace(",", ";")
    prices = ["2,55", "1.234,5", "7", "€ 0,125", "2.55"]
    lines = read([written(tmp_path / "a.csv", header, *(row.replace("2.55", price) for price in prices))], workspace)
    assert column(lines, "price") == [2.55, 1234.5, 7.0, 0.125, None]
    assert column(lines, "unreadable")[-1] == "price '2.55' is not a number"
    assert "a.csv: 'UnitPrice' is read with a decimal comma." in lines.notes


def test_commas_between_thousands_are_read(workspace: Workspace, tmp_path: Path) -> None:
    prices = ['"1,234.50"', '"2,345"', "£2.55"]
    lines = read([written(tmp_path / "a.csv", HEADER, *(ROW.replace("2.55", price) for price in prices))], workspace)
    assert column(lines, "price") == [1234.5, 2345.0, 2.55]


def test_commas_with_two_meanings_in_one_column_are_an_error(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", HEADER, *(ROW.replace("2.55", price) for price in ['"1,5"', '"1,234.50"']))
    with pytest.raises(UnreadableSource, match=r"'UnitPrice' the comma is a decimal sign in '1,5' and groups"):
        read([file], workspace)


def test_offsets_lead_to_utc(workspace: Workspace, tmp_path: Path) -> None:
    moments = ["2010-12-01T08:26:00+02:00", "2010-12-01T08:26:00Z"]
    file = written(tmp_path / "a.csv", HEADER, *(ROW.replace("2010-12-01 08:26:00", one) for one in moments))
    assert column(read([file], workspace), "at") == [datetime(2010, 12, 1, 6, 26), datetime(2010, 12, 1, 8, 26)]


def test_dates_without_a_time_are_said_to_have_none(workspace: Workspace, tmp_path: Path) -> None:
    lines = read([written(tmp_path / "a.csv", HEADER, ROW.replace(" 08:26:00", ""))], workspace)
    assert not lines.has_time
    assert column(lines, "at") == [datetime(2010, 12, 1)]


# What may be absent


def test_a_line_total_stands_for_the_unit_price(workspace: Workspace, tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.csv", "client,date,qty,total", "1,2010-12-01,4,10", "1,2010-12-01,-2,-5", "1,2010-12-02,0,5"
    )
    lines = read([file], workspace)
    assert column(lines, "price") == [2.5, 2.5, None]
    assert column(lines, "quantity") == [4.0, -2.0, 0.0]
    assert lines.present == {"customer", "at", "quantity", "amount"}
    assert any("'total' is a line total" in note for note in lines.notes)


def test_without_a_quantity_a_line_is_one_unit_at_its_total(workspace: Workspace, tmp_path: Path) -> None:
    lines = read([written(tmp_path / "a.csv", "client,date,sales_value", "1,2010-12-01,10")], workspace)
    assert (column(lines, "quantity"), column(lines, "price")) == ([1.0], [10.0])
    assert "No column for quantity: every line counts as one unit." in lines.notes


def test_without_a_quantity_two_prices_that_differ_are_asked_about(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "client,date,sales_value,price", "1,2010-12-01,10,2.5")
    with pytest.raises(UnreadableSource, match="'sales_value', 'price' all look like what a line cost"):
        read([file], workspace)
    assert column(read([file], workspace, ReadOptions(columns={"amount": "sales_value"})), "price") == [10.0]


def test_a_unit_price_and_a_line_total_that_differ_are_asked_about(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "client,date,qty,price,total", "1,2010-12-01,4,3,10")
    with pytest.raises(UnreadableSource, match="quantity times 'price' and 'total' differ"):
        read([file], workspace)
    assert column(read([file], workspace, ReadOptions(columns={"price": "price"})), "price") == [3.0]


def test_without_an_invoice_an_order_is_one_customer_at_one_moment(workspace: Workspace, tmp_path: Path) -> None:
    moments = ["2010-12-01 08:26", "2010-12-01 08:26", "2010-12-01 09:00"]
    lines = read([written(tmp_path / "a.csv", "client,date,price", *(f"7,{one},2" for one in moments))], workspace)
    assert (column(lines, "invoice"), lines.order_by) == ([None] * 3, "moment")
    assert "No column for invoice: an order is what one customer bought at one moment." in lines.notes


def test_without_invoice_and_time_an_order_is_one_customer_on_one_day(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "client,date,price", "7,2010-12-01,2", ",2010-12-02,2")
    lines = read([file], workspace)
    assert (column(lines, "invoice"), lines.order_by) == ([None] * 2, "day")
    assert any("bought on one day" in note for note in lines.notes)


def test_absent_fields_are_null_and_said_to_be_absent(workspace: Workspace, tmp_path: Path) -> None:
    lines = read([written(tmp_path / "a.csv", "order,client,date,price", "9,7,2010-12-01,2")], workspace)
    (row,) = rows(lines)
    assert (row["product"], row["description"], row["country"]) == (None, None, None)
    assert lines.present == {"invoice", "customer", "at", "price"}
    assert {note.split(":")[0] for note in lines.notes} >= {"No column for product", "No column for country"}


def test_columns_are_named_by_override(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "wer,wann,was", "7,2010-12-01,2")
    lines = read([file], workspace, ReadOptions(columns={"customer": "wer", "at": "wann", "price": "was"}))
    assert (column(lines, "customer"), column(lines, "price")) == (["7"], [2.0])
    assert "a.csv: at from 'wann', price from 'was', customer from 'wer'." in lines.notes


# Several files


def test_a_folder_is_read_in_the_order_of_its_names(workspace: Workspace, tmp_path: Path) -> None:
    written(tmp_path / "2.csv", HEADER, ROW.replace("6,", "2,"))
    written(tmp_path / "1.csv", HEADER.replace("InvoiceNo", "Invoice"), ROW.replace("6,", "1,"))
    written(tmp_path / "README.md", "not data")
    lines = read([str(tmp_path)], workspace)
    assert [(row["line"], row["quantity"]) for row in rows(lines)] == [(0, 1.0), (1, 2.0)]
    assert [(file.name, file.rows) for file in lines.fingerprint] == [("1.csv", 1), ("2.csv", 1)]


def test_files_of_different_fields_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    whole = written(tmp_path / "1.csv", HEADER, ROW)
    part = written(tmp_path / "2.csv", "client,date,price", "7,2010-12-01,2")
    with pytest.raises(UnreadableSource, match=r"1\.csv has a column for country \('Country'\) and 2\.csv has none"):
        read([whole, part], workspace)


def test_a_file_given_twice_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "1.csv", HEADER, ROW)
    with pytest.raises(UnreadableSource, match=r"1\.csv is given twice"):
        read([file, str(tmp_path)], workspace)


def test_nothing_to_read_is_a_sentence(workspace: Workspace, tmp_path: Path) -> None:
    for sources, trouble in (
        ([], "Nothing to read"),
        ([str(tmp_path / "no.csv")], "There is no file or folder"),
        ([str(tmp_path)], "has no CSV, XLSX, JSON or Parquet files"),
    ):
        with pytest.raises(UnreadableSource, match=trouble):
            read(sources, workspace)


def test_a_workspace_reads_more_than_one_source(workspace: Workspace, tmp_path: Path) -> None:
    file = written(tmp_path / "1.csv", HEADER, ROW)
    assert rows(read([file], workspace)) == rows(read([file], workspace)) == [LINE]


# Parquet, workbooks, databases


def test_parquet_keeps_its_types(workspace: Workspace, tmp_path: Path) -> None:
    zone = timezone(timedelta(hours=2))
    table = pa.table(
        {
            "invoice": pa.array([536365, 536366]),
            "sku": pa.array(["85123A", "71053"]).dictionary_encode(),
            "quantity": pa.array([6, None], pa.int32()),
            "date": pa.array([datetime(2010, 12, 1, 8, 26, tzinfo=zone)] * 2, pa.timestamp("us", "Europe/Helsinki")),
            "price": pa.array(["2.55", "3.39"]).cast(pa.decimal128(9, 2)),
            "customer": pa.array([17850.0, float("nan")]),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    first, second = rows(read([str(tmp_path / "a.parquet")], workspace))
    assert first == {**LINE, "at": datetime(2010, 12, 1, 6, 26), "description": None, "country": None}
    assert (second["customer"], second["quantity"], second["unreadable"]) == (None, None, None)


@pytest.mark.parametrize(
    ("values", "moment"),
    [
        (pa.array([datetime(2010, 12, 1, 8, 26)], pa.timestamp("ns")), datetime(2010, 12, 1, 8, 26)),
        (pa.array([date(2010, 12, 1)]), datetime(2010, 12, 1)),
        (pa.array(["12/31/2010"]), datetime(2010, 12, 31)),
        (pa.array([20101201]), datetime(2010, 12, 1)),
    ],
)
def test_dates_in_parquet_are_read_whatever_their_type(
    workspace: Workspace, tmp_path: Path, values: Any, moment: datetime
) -> None:
    pq.write_table(pa.table({"date": values, "client": [1], "price": [2.5]}), tmp_path / "a.parquet")
    assert column(read([str(tmp_path / "a.parquet")], workspace), "at") == [moment]


def workbook(file: Path, **sheets: list[list[Any]]) -> str:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, cells in sheets.items():
        sheet = book.create_sheet(name)
        for row in cells:
            sheet.append(row)
    book.save(file)
    return str(file)


def test_cells_of_numbers_and_text_read_alike(workspace: Workspace, tmp_path: Path) -> None:
    at = datetime(2010, 12, 1, 8, 26)
    file = workbook(
        tmp_path / "a.xlsx",
        Sales=[
            [],
            HEADER.split(","),
            [536365, "85123A", "HEART", 6, at, 2.55, 17850, "United Kingdom"],
            ["C536366", 85123, "HEART", -6, at, "2.55", "17850", "United Kingdom"],
            [None] * 8,
        ],
        Notes=[["made by", "someone"]],
    )
    lines = read([file], workspace)
    assert rows(lines) == [LINE, {**LINE, "line": 1, "invoice": "C536366", "product": "85123", "quantity": -6.0}]
    assert any(note.startswith("Not read: a.xlsx, sheet 'Notes' has no column") for note in lines.notes)


def test_every_sheet_with_the_columns_is_read(workspace: Workspace, tmp_path: Path) -> None:
    rows_of: list[list[Any]] = [["client", "date", "price"], [1, datetime(2010, 12, 1), 2]]
    lines = read([workbook(tmp_path / "a.xlsx", One=rows_of, Two=[rows_of[0], [2, *rows_of[1][1:]]])], workspace)
    assert (lines.rows, [file.rows for file in lines.fingerprint]) == (2, [2])


def test_a_workbook_without_the_columns_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match=r"a\.xlsx, sheet 'One' has no column for customer"):
        read([workbook(tmp_path / "a.xlsx", One=[["x"], [1]])], workspace)


@pytest.fixture
def shop(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE sales (invoice INT, sku TEXT, qty INT, at TIMESTAMP, price, client INT)"))
        connection.execute(
            text(
                "INSERT INTO sales VALUES (536365, '85123A', 6, '2010-12-01 08:26:00', 2.55, 17850), "
                "(2, 'B', 1, '2010-12-02 00:00:00', NULL, NULL)"
            )
        )
    engine.dispose()
    return url


def test_a_database_is_read_by_url_and_query(workspace: Workspace, shop: str) -> None:
    lines = read(
        [shop], workspace, ReadOptions(query="SELECT * FROM sales WHERE at > '2010-01-01 00:00:00' ORDER BY at")
    )
    first, second = rows(lines)
    assert first == {**LINE, "description": None, "country": None}
    assert (second["customer"], second["price"], second["unreadable"]) == (None, None, None)
    (found,) = lines.fingerprint
    assert (found.name, found.rows) == ("query", 2)


def test_the_fingerprint_of_a_query_is_of_its_rows(workspace: Workspace, shop: str) -> None:
    def sha256(query: str) -> str:
        return read([shop], workspace, ReadOptions(query=query)).fingerprint[0].sha256

    assert sha256("SELECT * FROM sales") == sha256("SELECT * FROM sales WHERE 1 = 1")
    assert sha256("SELECT * FROM sales") != sha256("SELECT * FROM sales WHERE invoice = 2")


def test_a_query_that_fails_says_why(workspace: Workspace, shop: str) -> None:
    with pytest.raises(UnreadableSource, match="the query failed: no such table: nowhere"):
        read([shop], workspace, ReadOptions(query="SELECT * FROM nowhere"))


def test_a_missing_sqlite_file_is_not_made(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match="There is no SQLite database"):
        read([f"sqlite:///{tmp_path / 'no.db'}"], workspace, ReadOptions(query="SELECT 1"))
    assert not (tmp_path / "no.db").exists()


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://me:s3cret@127.0.0.1:1/shop", "nodriver://me:s3cret@host/shop", "postgresql://me:s3cret@[/x"],
)
def test_a_password_is_never_shown(workspace: Workspace, url: str) -> None:
    with pytest.raises(UnreadableSource) as caught:
        read([url], workspace, ReadOptions(query="SELECT 1"))
    assert "s3cret" not in str(caught.value)


def test_urls_and_queries_go_together(workspace: Workspace, tmp_path: Path, shop: str) -> None:
    file = written(tmp_path / "a.csv", HEADER, ROW)
    for sources, query in (([shop], None), ([shop, file], "SELECT 1"), ([file], "SELECT 1")):
        with pytest.raises(UnreadableSource, match="--query"):
            read(sources, workspace, ReadOptions(query=query))


# The real data


def test_the_real_file_is_read_whole(complete: Lines) -> None:
    table = complete.table
    found = table.aggregate(
        rows=table.count(),
        invoices=table.invoice.nunique(),
        customers=table.customer.nunique(),
        countries=table.country.nunique(),
        nobody=table.customer.isnull().sum(),
        undescribed=table.description.isnull().sum(),
        pounds=table.description.contains("£").sum(),
        unreadable=table.unreadable.count(),
        first=table["at"].min(),
        last=table["at"].max(),
        smallest=table.quantity.min(),
        largest=table.quantity.max(),
        end=table.line.max(),
    )
    assert found.to_pyarrow().to_pylist() == [
        {
            "rows": 541_909,
            "invoices": 25_900,
            "customers": 4_372,
            "countries": 38,
            "nobody": 135_080,
            "undescribed": 1_454,
            "pounds": 32,
            "unreadable": 0,
            "first": datetime(2010, 12, 1, 8, 26),
            "last": datetime(2011, 12, 9, 12, 50),
            "smallest": -80_995.0,
            "largest": 80_995.0,
            "end": 541_908,
        }
    ]
    assert complete.has_time
    assert "online_retail.csv.gz: ISO-8859-1, fields separated by ','." in complete.notes


def test_lines_of_a_long_file_are_numbered_in_its_order(workspace: Workspace, tmp_path: Path) -> None:
    # Long enough that several threads read and write it at once.
    numbered = (ROW.replace(",6,", f",{position},") for position in range(600_000))
    table = read([written(tmp_path / "a.csv", HEADER, *numbered)], workspace).table
    assert table.filter(table.line != table.quantity).count().to_pyarrow().as_py() == 0


def test_the_real_lines_are_numbered_in_the_order_of_the_file(complete: Lines) -> None:
    places = complete.table.filter(complete.table.line.isin([0, 270_000, 541_908])).order_by("line")
    found = places.select("line", "invoice", "product", "customer").to_pyarrow().to_pylist()
    assert found[0] == {"line": 0, "invoice": "536365", "product": "85123A", "customer": "17850"}
    assert found[2] == {"line": 541_908, "invoice": "581587", "product": "22138", "customer": "12680"}


def test_the_workbook_has_the_same_rows_as_the_complete_file(real_data: Path) -> None:
    fields = ["invoice", "product", "quantity", "at", "price", "customer", "country"]
    with Workspace() as workspace:
        whole = read([str(real_data / "online_retail.csv.gz")], workspace).table
        sheet = read([str(real_data / "online_retail_40k.xlsx")], workspace)
        assert sheet.rows == 40_000
        missing = sheet.table.select(fields).distinct().difference(whole.select(fields).distinct())
        assert missing.to_pyarrow().to_pylist() == []


def test_short_dates_are_ambiguous_until_told(workspace: Workspace, real_data: Path) -> None:
    file = str(real_data / "online_retail_999_short_dates.csv")
    with pytest.raises(UnreadableSource, match=r"'12/1/10 \d+:\d\d' is 1 December 2010 .*--date-format month-first"):
        read([file], workspace)
    lines = read([file], workspace, ReadOptions(date_format="month-first"))
    assert lines.rows == 999
    assert {moment.date() for moment in column(lines, "at")} == {date(2010, 12, 1)}


def test_customers_without_purchases_are_refused(workspace: Workspace, real_data: Path) -> None:
    trouble = r"Mall_Customers\.csv has no column for purchase date and none for price or amount.*'Annual Income"
    with pytest.raises(UnreadableSource, match=trouble):
        read([str(real_data / "Mall_Customers.csv")], workspace)


COLUMNS = "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n"


def test_a_file_that_grows_while_it_is_read_is_refused(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "growing.csv"
    file.write_text(COLUMNS + "1,A,1,2011-01-13,2.5,7\n")

    def grow_and_plan(opened: Opened, options: ReadOptions) -> PlannedSource:
        with file.open("a") as more:
            more.write("2,A,1,2011-01-14,2.5,7\n")
        return plan_source(opened, options)

    monkeypatch.setattr("training.reading.read.plan_source", grow_and_plan)
    with pytest.raises(UnreadableSource, match=r"growing\.csv changed while it was read: it had 1 rows at first and 2"):
        read([str(file)], workspace)


def test_what_only_later_rows_tell_is_found_all_the_same(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.reading.read.HEADS", (2,))
    file = tmp_path / "later.csv"
    rows = ["1,A,1,1/13/2011,2.5,7", "2,A,1,1/14/2011,2.5,7", '3,A,"1,200",1/2/2011,2.5,7', "4,A,six,1/3/2011,2.5,7"]
    file.write_text(COLUMNS + "\n".join(rows))
    lines = read([str(file)], workspace)
    found = lines.table.order_by("line").to_pyarrow().to_pylist()
    assert [row["quantity"] for row in found] == [1, 1, 1200, None]
    assert [row["at"].month for row in found] == [1, 1, 1, 1]
    assert lines.rows == 4
    assert found[3]["unreadable"] == "quantity 'six' is not a number"


def test_a_contradiction_that_only_later_rows_hold_is_an_error(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.reading.read.HEADS", (2,))
    file = tmp_path / "later.csv"
    file.write_text(COLUMNS + "1,A,1,1/13/2011,2.5,7\n2,A,1,1/14/2011,2.5,7\n3,A,1,15/1/2011,2.5,7\n")
    with pytest.raises(UnreadableSource, match="15/1/2011"):
        read([str(file)], workspace)


def test_first_rows_that_leave_the_order_open_are_decided_by_later_ones(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.reading.read.HEADS", (2,))
    file = tmp_path / "later.csv"
    file.write_text(COLUMNS + "1,A,1,1/2/2011,2.5,7\n2,A,1,2/3/2011,2.5,7\n3,A,1,15/1/2011,2.5,7\n")
    found = read([str(file)], workspace).table.order_by("line").to_pyarrow().to_pylist()
    assert [(row["at"].day, row["at"].month) for row in found] == [(1, 2), (2, 3), (15, 1)]


def test_an_opened_file_shows_all_its_columns(workspace: Workspace, tmp_path: Path) -> None:
    (table,) = open_file(Path(written(tmp_path / "a.csv", "client, seen ,,price", "7,x,y,2")), workspace).tables
    assert (table.where, table.names) == ("a.csv", ("client", "seen", "", "price"))
    assert table.table.to_pyarrow().to_pylist() == [{"c0": "7", "c1": "x", "c2": "y", "c3": "2"}]
    assert table.select({"price": "price"}).table.to_pyarrow().to_pylist() == [{"price": "2"}]


def test_every_sheet_of_an_opened_workbook_shows_all_its_columns(workspace: Workspace, tmp_path: Path) -> None:
    file = workbook(tmp_path / "a.xlsx", One=[["client", "seen"], [7, "x"]], Two=[["made by"], ["someone"]])
    tables = open_file(Path(file), workspace).tables
    assert [(one.where, one.names) for one in tables] == [
        ("a.xlsx, sheet 'One'", ("client", "seen")),
        ("a.xlsx, sheet 'Two'", ("made by",)),
    ]
    assert tables[0].table.to_pyarrow().to_pylist() == [{"c0": "7", "c1": "x"}]


def test_an_opened_query_shows_all_its_columns(workspace: Workspace, shop: str) -> None:
    (table,) = open_query(shop, "SELECT client, qty AS units FROM sales ORDER BY invoice", workspace).tables
    assert table.names == ("client", "units")
    assert table.table.to_pyarrow().to_pylist() == [{"c0": None, "c1": "1"}, {"c0": "17850", "c1": "6"}]
