"""A table that is scored is read as the table that a model is made of."""

import csv
import gzip
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evidence import FeatureRecord
from models.manifest import Manifest
from training.customer_table import CustomerTable, read_customer_table
from training.errors import UnreadableSource
from training.scored_table import OtherColumns, write_scored
from training.table_columns import Columns
from training.workspace import Workspace

HEADER = ("Kunde", "Umsatz", "Punkte", "Ort")
Row = Sequence[object]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as opened:
        yield opened


def manifest_of(table: CustomerTable) -> Manifest:
    """What a model of the table says of its features."""
    names = (*table.features, *(one for one in (*table.numeric, *table.categorical) if one not in table.features))
    said: dict[str, Any] = {
        "source": "customers",
        "features": tuple(
            FeatureRecord(name=name, unit="", formula="", one_order="", clusters=name in table.features)
            for name in names
        ),
        "ranges": {name: (float(np.nanmin(one)), float(np.nanmax(one))) for name, one in table.numeric.items()},
        "parameters": {"id": table.reading.id or "row"},
        "table": table.reading,
    }
    return Manifest.model_construct(**said)  # all that is asked of it


Scored = list[dict[str, object]]


def scored(
    file: Path, manifest: Manifest, customer: str | None = None, missing: Sequence[str] = (),
    not_missing: Sequence[str] = (),
) -> tuple[Scored, list[str]]:  # fmt: skip
    """Each customer's id and features by name, and what the reading noted."""
    out = file.with_name(f"{file.name}.parquet")
    notes = write_scored(file, out, manifest, customer, missing, not_missing)
    return [
        {"id": row["customer_id"]}
        | {
            name: value
            for at, name in enumerate(manifest.scored_features)
            if (value := row[f"value_{at}"] if row[f"value_{at}"] is not None else row.get(f"text_{at}")) is not None
        }
        for row in pq.read_table(out).to_pylist()
    ], notes


def rows_of(table: CustomerTable) -> Scored:
    """The same of the table that a model is made of."""
    found: Scored = []
    for at, customer in enumerate(table.ids):
        row: dict[str, object] = {"id": customer}
        row |= {name: float(one[at]) for name, one in table.numeric.items() if not np.isnan(one[at])}
        row |= {name: words[at] for name, words in table.categorical.items() if words[at] is not None}
        found.append(row)
    return found


def as_text(
    rows: Sequence[Row], delimiter: str = ",", encoding: str = "utf-8", header: Sequence[str] = HEADER
) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *rows])
    return text.getvalue().encode(encoding)


def read(file: Path, workspace: Workspace, missing: Sequence[str] = (), customer: str = "Kunde") -> CustomerTable:
    return read_customer_table(file, workspace, Columns(customer, ["Umsatz"], None, missing))


PLAIN: list[Row] = [(f"K{at}", 100 + at * 12.5, at % 7 * 1000, ("Köln", "Bonn")[at % 2]) for at in range(1, 61)]


def german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


GERMAN: list[Row] = [(key, german(float(str(total))), points, town) for key, total, points, town in PLAIN]
ENGLISH: list[Row] = [(key, f"${float(str(total)) * 100:,.2f}", points, town) for key, total, points, town in PLAIN]
GAPS: list[Row] = [
    (
        key,
        total,
        ("", " ", "\u00a0", "nan", "None", "NULL", "N/A", "-", "\t", "n/a")[at % 10] if at % 5 else points,
        town,
    )
    for at, (key, total, points, town) in enumerate(PLAIN)
]
WORDS: list[Row] = [
    (key, total, points, ("", "\u00a0", "NULL", "-")[at % 4] if at % 3 else town)
    for at, (key, total, points, town) in enumerate(PLAIN)
]
SPACES: list[Row] = [
    (f"\u00a0{key}\u2003", f" {total} ", points, f"\t{town}\u00a0") for key, total, points, town in PLAIN
]


def workbook(rows: Sequence[Row]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    for row in (HEADER, *rows):
        book.active.append(list(row))
    book.save(out)
    return out.getvalue()


def parquet(rows: Sequence[Row]) -> bytes:
    out = io.BytesIO()
    keys, totals, points, towns = zip(*rows, strict=True)
    table = pa.table([pa.array(keys), pa.array(totals, pa.float64()), pa.array(points), pa.array(towns)], HEADER)
    pq.write_table(table, out)
    return out.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "commas.csv": lambda: as_text(PLAIN),
    "semicolons.csv": lambda: as_text(PLAIN, ";"),
    "tabs.txt": lambda: as_text(PLAIN, "\t"),
    "german.csv": lambda: as_text(GERMAN, ";"),
    "english.csv": lambda: as_text(ENGLISH),
    "windows.csv": lambda: as_text(GERMAN, ";", "cp1252"),
    "latin.csv": lambda: as_text(PLAIN, ",", "latin-1"),
    "bom.csv": lambda: as_text(PLAIN, ",", "utf-8-sig"),
    "gaps.csv": lambda: as_text(GAPS),
    "words.csv": lambda: as_text(WORDS),
    "spaces.csv": lambda: as_text(SPACES),
    "packed.csv.gz": lambda: gzip.compress(as_text(GERMAN, ";")),
    "packed.csv.zst": lambda: zstd.compress(as_text(GAPS, "|")),
    "sheet.xlsx": lambda: workbook(PLAIN),
    "gaps.xlsx": lambda: workbook(GAPS),
    "typed.parquet": lambda: parquet(PLAIN),
}


@pytest.mark.parametrize("name", FILES)
def test_the_table_that_a_model_is_made_of_is_scored_by_the_same_values(
    name: str, workspace: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(FILES[name]())
    table = read(file, workspace)
    assert len(table.ids) == 60
    assert scored(file, manifest_of(table)) == (rows_of(table), [])


@pytest.mark.parametrize("name", ["commas.csv", "german.csv", "sheet.xlsx", "typed.parquet", "packed.csv.gz"])
def test_a_table_of_another_form_has_the_same_values(name: str, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "windows.csv").write_bytes(FILES["windows.csv"]())
    (tmp_path / name).write_bytes(FILES[name]())
    table = read(tmp_path / "windows.csv", workspace)
    assert scored(tmp_path / name, manifest_of(table))[0] == rows_of(table)


TEXTS = st.one_of(
    st.sampled_from(["", " ", "\u00a0", "nan", "NaN", "None", "NULL", "N/A", "n/a", "-", "--", "null", "NaT", "#N/A"]),
    st.integers(-9999, 9999).map(str),
    st.decimals(-9999, 9999, places=2, allow_nan=False).map(str),
    st.sampled_from(["many", "1e300", "inf", "12 kg"]),
)


@settings(max_examples=10)
@given(st.lists(TEXTS, min_size=60, max_size=60))
def test_whatever_is_in_a_column_that_describes_fit_and_score_read_the_same(
    workspace: Workspace, texts: list[str]
) -> None:
    rows = [(f"K{at}", at, text, "x") for at, text in enumerate(texts)]
    file = workspace.file(".csv")
    file.write_bytes(as_text(rows, ";"))
    with suppress(UnreadableSource):  # a question
        table = read(file, workspace)
        assert scored(file, manifest_of(table))[0] == rows_of(table)


# Numbers


def test_numbers_that_are_open_are_read_as_the_model_had_them(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "fit.csv").write_bytes(FILES["german.csv"]())
    manifest = manifest_of(read(tmp_path / "fit.csv", workspace))
    assert manifest.table is not None
    assert manifest.table.numbers == {"Umsatz": "1.234,56"}
    (tmp_path / "next.csv").write_text("Kunde;Umsatz\nA;1.250\nB;3,125\nC;700\n", "utf-8")
    assert [row["Umsatz"] for row in scored(tmp_path / "next.csv", manifest)[0]] == [1250.0, 3.125, 700.0]
    (tmp_path / "points.csv").write_text("Kunde,Umsatz\nA,1250.5\nB,3.125\nC,700\n", "utf-8")
    assert [row["Umsatz"] for row in scored(tmp_path / "points.csv", manifest)[0]] == [1250.5, 3.125, 700.0]


def test_a_number_that_cannot_be_one_is_left_for_the_service_to_refuse(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "fit.csv").write_bytes(FILES["gaps.csv"]())
    manifest = manifest_of(read(tmp_path / "fit.csv", workspace))
    (tmp_path / "next.csv").write_text("Kunde,Umsatz,Punkte\nA,much,many\nB,12,3\n", "utf-8")
    rows, notes = scored(tmp_path / "next.csv", manifest)
    assert rows == [{"id": "A", "Umsatz": "much"}, {"id": "B", "Umsatz": 12.0, "Punkte": 3.0}]
    assert notes == ["next.csv: 'Punkte' is no number in 1 row and counts as missing there; the first is row 1."]


# Missing values


def sentinel_rows(value: object, column: int, every: int = 9) -> list[Row]:
    rows = [list(row) for row in PLAIN]
    for row in rows[::every]:
        row[column] = value
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("value", ["-999", "999999", "-9999", "99999999", "-1", "-99999.99"])
def test_a_number_far_outside_all_others_is_asked_about(value: str, workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    rows = [(key, total, at % 30, town) for at, (key, total, _, town) in enumerate(PLAIN)]
    file.write_bytes(as_text([(*row[:2], value, row[3]) if at % 9 == 0 else row for at, row in enumerate(rows)]))
    with pytest.raises(UnreadableSource) as asked:
        read(file, workspace)
    assert f"'Punkte' is {value} for 7 customers (rows 1, 10, 19 and 4 more)" in str(asked.value)
    assert f"say --missing={value}; if it is a value, say --not-missing={value}" in str(asked.value)
    table = read(file, workspace, [value])
    assert np.flatnonzero(np.isnan(table.numeric["Punkte"])).tolist() == list(range(0, 60, 9))
    assert f"'{value}' stands for a missing value." in table.notes
    assert scored(file, manifest_of(table))[0] == rows_of(table)
    kept = read_customer_table(file, workspace, Columns("Kunde", ["Umsatz"], None, (), [value]))
    assert np.nanmin(np.abs(kept.numeric["Punkte"] - float(value))) == 0


def test_what_stands_for_a_missing_value_cannot_decide(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(as_text(sentinel_rows(-999999, 1)))
    with pytest.raises(UnreadableSource, match="--missing=-999999"):
        read(file, workspace)
    with pytest.raises(UnreadableSource, match="'Umsatz' decides the segment and has no value for 7 of 60 customers"):
        read(file, workspace, ["-999999"])


@pytest.mark.parametrize(
    "values",
    [
        [0, 1], range(60), [0, 5_000, 5_100, 5_200], [18, 99], [1, 2, 3, 4, 5], [-3, -2, -1, 0, 1, 2],
        [round(1.3**at, 2) for at in range(40)], [0.1 * at for at in range(20)],
    ],
)  # fmt: skip
def test_ordinary_columns_are_not_asked_about(values: Sequence[float], workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(
        as_text([(key, total, values[at % len(values)], "x") for at, (key, total, *_) in enumerate(PLAIN)])
    )
    assert "Punkte" in read(file, workspace).numeric


def test_a_sign_for_missing_values_that_the_model_does_not_know_is_asked_about(
    workspace: Workspace, tmp_path: Path
) -> None:
    (tmp_path / "fit.csv").write_bytes(FILES["commas.csv"]())
    manifest = manifest_of(read(tmp_path / "fit.csv", workspace))
    file = tmp_path / "next.csv"
    file.write_bytes(as_text(sentinel_rows(-99999, 1)))
    with pytest.raises(UnreadableSource, match=r"'Umsatz' is -99999 for 7 rows.*say --missing=-99999"):
        scored(file, manifest)
    assert "Umsatz" not in scored(file, manifest, missing=["-99999"])[0][0]
    assert scored(file, manifest, not_missing=["-99999"])[0][0]["Umsatz"] == -99999


# Ids


def test_a_table_without_ids_is_numbered_by_row(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(as_text([row[1:] for row in PLAIN], header=HEADER[1:]))
    table = read(file, workspace, customer="row")
    assert table.ids == tuple(str(at) for at in range(1, 61))
    assert any("numbered by row" in note for note in table.notes)
    assert scored(file, manifest_of(table))[0] == rows_of(table)


def test_a_column_called_row_has_the_ids(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(as_text(PLAIN, header=("Row", *HEADER[1:])))
    assert read(file, workspace, customer="row").ids[0] == "K1"


def test_a_column_of_ids_that_is_not_there_can_be_named_or_numbered(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(as_text(PLAIN))
    with pytest.raises(UnreadableSource, match=r"no column called 'id'.*with --id NAME, or .* with --id row\."):
        read(file, workspace, customer="id")
    manifest = manifest_of(read(file, workspace))
    file.write_bytes(as_text(PLAIN, header=("Nummer", *HEADER[1:])))
    with pytest.raises(UnreadableSource, match=r"--column customer=NAME, or .* with --column customer=row"):
        scored(file, manifest)
    assert scored(file, manifest, "Nummer")[0][0]["id"] == "K1"
    assert scored(file, manifest, "row")[0][0]["id"] == "1"


def test_ids_that_differ_in_case_only_are_noted_by_their_rows(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(as_text([(f"k{at}" if at == 9 else f"K{at % 50}X{at // 50}", *row[1:]) for at, row in
                              enumerate(PLAIN)] + [("K9", 5, 5, "Bonn")]))  # fmt: skip
    (note,) = (note for note in read(file, workspace).notes if "upper and lower case" in note)
    assert "'Kunde' has 1 id in more than one spelling of upper and lower case, such as in rows 10, 61" in note
    assert "k9" not in note.casefold()


@pytest.mark.parametrize("key", ["", "\u00a0", "NULL", "N/A", "-"])
def test_a_missing_id_is_refused_with_its_row(key: str, workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(as_text([*PLAIN[:7], (key, 1, 2, "Bonn"), *PLAIN[8:]]))
    with pytest.raises(UnreadableSource, match=r"'Kunde' is empty for 1 customer \(row 8\)"):
        read(file, workspace)


def test_ids_that_are_floats_beyond_whole_numbers_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "clients.parquet"
    ids = [1.28570447365089e18 + 1000 * at for at in range(60)]
    pq.write_table(pa.table({"Kunde": ids, "Umsatz": [float(at) for at in range(60)]}), file)
    with pytest.raises(UnreadableSource, match="'Kunde' in row 1: "):
        read(file, workspace)


def test_a_file_without_the_columns_that_decide_is_another_table(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "clients.csv"
    file.write_bytes(as_text(PLAIN))
    manifest = manifest_of(read(file, workspace))
    file.write_text("Kunde,Punkte\nA,1\n", "utf-8")
    with pytest.raises(OtherColumns, match="has no column 'Umsatz', by which the active model decides"):
        scored(file, manifest)
