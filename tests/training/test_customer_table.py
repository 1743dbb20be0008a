"""Tables with one row per customer."""

import csv
import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from backports import zstd
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_score

from models.customer.customer_id import MISSING, customer_id
from models.table_reading import NOT_KNOWN
from training.customer_table import (
    ALL_BUT_FEW,
    FEWEST_CUSTOMERS,
    CustomerTable,
    read_customer_table,
    shares,
    transform_for,
)
from training.errors import TooFewCustomers, UnreadableSource
from training.options import TAILS
from training.profiles import spreads
from training.recipe import Recipe, fit_recipe, points_of
from training.sentinels import sentinels
from training.table_columns import Columns
from training.workspace import Workspace

HEADER = ("Client No", "Annual Income (k$)", "Score", "Gender", "Town")
Row = tuple[object, ...]


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as opened:
        yield opened


def customers(changes: Mapping[int, Mapping[str, object]] = {}, count: int = 60) -> list[Row]:
    """Sound customers; `changes` (by row from 1 and column) are put into them."""
    towns, genders = ("Bath", "York", "Hull"), ("Female", "Male")
    rows = []
    for at in range(1, count + 1):
        sound = dict(zip(HEADER, (f"A{at}", 20 + at, at * 7 % 100, genders[at % 2], towns[at % 3]), strict=True))
        rows.append(tuple({**sound, **changes.get(at, {})}.values()))
    return rows


def as_csv(file: Path, rows: Sequence[Row], delimiter: str = ",", header: Row = HEADER) -> Path:
    with file.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target, delimiter=delimiter).writerows([header, *rows])
    return file


def read(
    file: Path,
    workspace: Workspace,
    features: Sequence[str] = ("annual income", "score"),
    describe: Sequence[str] | None = None,
    customer: str = "client_no",
    missing: Sequence[str] = (),
    not_missing: Sequence[str] = (),
) -> CustomerTable:
    return read_customer_table(file, workspace, Columns(customer, features, describe, missing, not_missing))


def refusal(file: Path, workspace: Workspace, **asked: Any) -> str:
    with pytest.raises(UnreadableSource) as refused:
        read(file, workspace, **asked)
    return str(refused.value)


# What a file may look like


def test_features_decide_and_all_other_columns_describe(workspace: Workspace, tmp_path: Path) -> None:
    file = as_csv(tmp_path / "clients.csv", customers())
    table = read(file, workspace)
    assert table.ids == tuple(f"A{at}" for at in range(1, 61))
    assert table.features == ("Annual Income (k$)", "Score")
    assert table.matrix().tolist() == [[20 + at, at * 7 % 100] for at in range(1, 61)]
    assert table.categorical["Town"][:3] == ("York", "Hull", "Bath")
    (found,) = table.fingerprint
    assert (found.sha256, found.rows) == (hashlib.sha256(file.read_bytes()).hexdigest(), 60)
    assert any("'Gender', 'Town' only describe." in note for note in table.notes)


def workbook(file: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.append(["A sheet of notes"])
    sheet = book.create_sheet("Clients")
    for row in [(), HEADER, *customers()]:
        sheet.append(row)
    book.save(file)
    return file


def parquet(file: Path) -> Path:
    names, columns = HEADER, list(zip(*customers(), strict=True))
    income = pa.array([Decimal(int(str(value))) for value in columns[1]], pa.decimal128(10, 2))
    score = pa.array([float(str(value)) for value in columns[2]], pa.float64())
    pq.write_table(pa.table(dict(zip(names, [columns[0], income, score, *columns[3:]], strict=True))), file)
    return file


def packed(file: Path) -> Path:
    plain = as_csv(file.with_suffix(".plain"), customers(), "\t").read_bytes()
    file.write_bytes(gzip.compress(plain) if file.suffix == ".gz" else zstd.compress(plain))
    return file


@pytest.mark.parametrize(
    ("form", "make"),
    [("a.xlsx", workbook), ("a.parquet", parquet), ("a.csv.gz", packed), ("a.csv.zst", packed)],
)
def test_every_form_holds_the_same_customers(form: str, make: Any, workspace: Workspace, tmp_path: Path) -> None:
    expected = read(as_csv(tmp_path / "expected.csv", customers()), workspace)
    found = read(make(tmp_path / form), workspace)
    assert (found.ids, found.features, found.categorical) == (expected.ids, expected.features, expected.categorical)
    assert {name: values.tolist() for name, values in found.numeric.items()} == {
        name: values.tolist() for name, values in expected.numeric.items()
    }


def test_two_sheets_of_customers_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for sheet in (book.active, book.create_sheet("Old")):
        for row in [HEADER, *customers()]:
            sheet.append(row)
    book.save(tmp_path / "two.xlsx")
    assert "sheet 'Sheet' and two.xlsx, sheet 'Old' both have" in refusal(tmp_path / "two.xlsx", workspace)


def test_numbers_are_read_as_those_of_transactions_are(workspace: Workspace, tmp_path: Path) -> None:
    written = [(f"A{at}", f"€ 1.{at:03},50", f"{at},25", "", "Bath") for at in range(1, 61)]
    table = read(as_csv(tmp_path / "german.csv", written, ";"), workspace)
    assert table.matrix().tolist() == [[1000.5 + at, at + 0.25] for at in range(1, 61)]


def test_the_encoding_is_found(workspace: Workspace, tmp_path: Path) -> None:
    file = as_csv(tmp_path / "old.csv", customers({7: {"Town": "Düsseldorf"}}))
    file.write_bytes(file.read_text("utf-8").encode("latin-1"))
    assert read(file, workspace).categorical["Town"][6] == "Düsseldorf"


PRINTABLE = st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" ")
WORDS = (
    st.text(PRINTABLE, min_size=1, max_size=20).map(str.strip).filter(lambda text: text not in (*MISSING, *NOT_KNOWN))
)
IDS = WORDS.filter(lambda text: customer_id(text) == text and not text.startswith("filler"))
DRAWN = st.lists(st.tuples(IDS, st.floats(-1e12, 1e12), WORDS), max_size=9, unique_by=lambda row: row[0])


@settings(max_examples=12)
@given(DRAWN, st.sampled_from(",;\t|"))
def test_ids_numbers_and_words_come_back_as_they_were_written(
    workspace: Workspace, drawn: list[tuple[str, float, str]], delimiter: str
) -> None:
    rows = [*drawn, *((f"filler {at}", float(at), "word") for at in range(FEWEST_CUSTOMERS))]
    assume(not sentinels(np.array([row[1] for row in rows])))  # which are asked about
    file = as_csv(workspace.file(".csv"), rows, delimiter, ("id", "number", "words"))
    table = read(file, workspace, ["number"], customer="id")
    assert table.ids == tuple(row[0] for row in rows)
    assert table.numeric["number"].tolist() == [row[1] for row in rows]
    assert table.categorical["words"] == tuple(row[2] for row in rows)


# Which columns are meant


@pytest.mark.parametrize("name", ["Annual Income (k$)", "annual_income (K$)", "ANNUAL INCOME", "annualincome"])
def test_a_column_is_found_by_its_name_or_nearly_its_name(name: str, workspace: Workspace, tmp_path: Path) -> None:
    file = as_csv(tmp_path / "clients.csv", customers())
    assert read(file, workspace, [name]).features == ("Annual Income (k$)",)


@pytest.mark.parametrize("name", ["income", "annual", "k$", ""])
def test_part_of_a_name_is_not_enough_and_the_columns_there_are_are_told(
    name: str, workspace: Workspace, tmp_path: Path
) -> None:
    said = refusal(as_csv(tmp_path / "clients.csv", customers()), workspace, features=[name])
    assert f"no column called '{name}'" in said
    assert "'Client No', 'Annual Income (k$)', 'Score', 'Gender', 'Town'" in said


def test_the_very_name_counts_before_a_similar_one(workspace: Workspace, tmp_path: Path) -> None:
    header = ("id", "Age", "age", "AGE (years)", "x")
    rows = [(at, at, at * at, 1, at) for at in range(1, 61)]
    file = as_csv(tmp_path / "ages.csv", rows, header=header)
    assert read(file, workspace, ["age"], customer="id").matrix()[:3, 0].tolist() == [1.0, 4.0, 9.0]
    assert "'aGE' can be each of 'Age', 'age'" in refusal(file, workspace, features=["aGE"], customer="id")


def test_a_column_cannot_be_asked_for_twice(workspace: Workspace, tmp_path: Path) -> None:
    file = as_csv(tmp_path / "clients.csv", customers())
    assert "'Score' is named twice" in refusal(file, workspace, features=["Score", "score"])
    assert "'Client No' is named twice" in refusal(file, workspace, features=["Client No"])
    assert "--features" in refusal(file, workspace, features=[])


def test_only_what_is_asked_for_describes(workspace: Workspace, tmp_path: Path) -> None:
    file = as_csv(tmp_path / "clients.csv", customers())
    table = read(file, workspace, ["score"], ["town"])
    assert (list(table.numeric), list(table.categorical)) == (["Score"], ["Town"])


# What cannot be


def test_too_few_customers_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(TooFewCustomers, match=r"49 customers, and segments of fewer than 50"):
        read(as_csv(tmp_path / "few.csv", customers(count=49)), workspace)


def test_a_customer_in_two_rows_is_refused_with_both_rows(workspace: Workspace, tmp_path: Path) -> None:
    rows = customers({3: {"Client No": "17850"}, 9: {"Client No": " 17850.0 "}})
    said = refusal(as_csv(tmp_path / "twice.csv", rows), workspace)
    assert "names only 59 customers in 60 rows: '17850' is in rows 3, 9." in said


@pytest.mark.parametrize(
    ("number", "said"),
    [("", "'Client No' is empty for 1 customer (row 5)"), ("x" * 257, "row 5"), ("a\tb", "control characters")],
)
def test_an_id_nobody_can_have_is_refused(number: str, said: str, workspace: Workspace, tmp_path: Path) -> None:
    assert said in refusal(as_csv(tmp_path / "ids.csv", customers({5: {"Client No": number}})), workspace)


@pytest.mark.parametrize("feature", ["Annual Income (k$)", "Gender"])
def test_a_gap_in_what_decides_is_refused_with_count_and_rows(
    feature: str, workspace: Workspace, tmp_path: Path
) -> None:
    rows = customers({at: {feature: "NaN" if at == 4 else ""} for at in (4, 7, 20, 33)})
    said = refusal(as_csv(tmp_path / "gaps.csv", rows), workspace, features=[feature, "Score"])
    assert f"'{feature}' decides the segment and has no value for 4 of 60 customers (rows 4, 7, 20 and 1 more)" in said


@pytest.mark.parametrize("value", ["inf", "-Infinity", "1e300", "2e12", "much"])
def test_what_is_no_number_is_refused_where_it_decides(value: str, workspace: Workspace, tmp_path: Path) -> None:
    said = refusal(as_csv(tmp_path / "odd.csv", customers({8: {"Score": value}})), workspace)
    assert f"1 customer: '{value}' in row 8" in said


def test_everything_wrong_with_what_decides_is_told_at_once(workspace: Workspace, tmp_path: Path) -> None:
    rows = customers({2: {"Score": ""}, 3: {"Annual Income (k$)": "much"}})
    said = refusal(as_csv(tmp_path / "two.csv", rows), workspace)
    assert "'Score' decides" in said
    assert "'much' in row 3" in said


def test_what_does_not_differ_cannot_decide(workspace: Workspace, tmp_path: Path) -> None:
    alike = customers({at: {"Score": 5, "Gender": "Male"} for at in range(1, 61)})
    file = as_csv(tmp_path / "alike.csv", alike)
    assert "'Score' is 5 for all customers" in refusal(file, workspace)
    assert "'Gender' is 'Male' for all customers" in refusal(file, workspace, features=["Gender"])


def test_what_the_pipeline_clips_away_does_not_decide_either(workspace: Workspace, tmp_path: Path) -> None:
    assert ALL_BUT_FEW == (TAILS, 1 - TAILS)
    file = as_csv(tmp_path / "one.csv", customers({at: {"Score": int(at == 9)} for at in range(1, 3001)}, 3000))
    assert "all but a few" in refusal(file, workspace)


def test_gaps_in_what_only_describes_are_noted(workspace: Workspace, tmp_path: Path) -> None:
    rows = customers({2: {"Score": ""}, 3: {"Score": "unknown"}, 4: {"Town": "NULL"}})
    table = read(as_csv(tmp_path / "gaps.csv", rows), workspace, ["annual income"])
    assert np.flatnonzero(np.isnan(table.numeric["Score"])).tolist() == [1, 2]
    assert table.categorical["Town"][3] is None
    assert "'Score' has no value for 1 customer." in table.notes
    assert any("the first is 'unknown' in row 3" in note for note in table.notes)


def test_names_of_persons_do_not_get_into_a_profile(workspace: Workspace, tmp_path: Path) -> None:
    file = as_csv(tmp_path / "names.csv", customers({at: {"Town": f"Smith, {at}"} for at in range(1, 61)}))
    table = read(file, workspace)
    assert "Town" not in table.categorical
    assert any(note.startswith("Left out: 'Town' has 60 different values") for note in table.notes)
    assert "Do not describe by it" in refusal(file, workspace, describe=["town"])


# Words that decide


def test_words_that_decide_become_columns_of_zero_and_one(workspace: Workspace, tmp_path: Path) -> None:
    file = as_csv(tmp_path / "clients.csv", customers())
    table = read(file, workspace, ["town", "gender", "score"])
    assert table.levels == {"Town": ("Bath", "Hull", "York"), "Gender": ("Female", "Male")}
    assert [one.name for one in table.columns] == ["Town=Bath", "Town=Hull", "Town=York", "Gender=Female", "Score"]
    assert table.matrix()[:2].tolist() == [[0, 0, 1, 0, 7], [0, 1, 0, 1, 14]]


def test_too_many_words_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    file = as_csv(tmp_path / "towns.csv", customers({at: {"Town": f"T{at % 13}"} for at in range(1, 61)}))
    assert "at most 12 different words" in refusal(file, workspace, features=["town"])


def test_one_word_in_two_spellings_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    file = as_csv(tmp_path / "spelt.csv", customers({3: {"Gender": "female"}}))
    assert "'Female' and 'female', which look the same" in refusal(file, workspace, features=["gender", "score"])


def test_a_rare_word_that_decides_is_noted(workspace: Workspace, tmp_path: Path) -> None:
    rows = customers({3: {"Town": "Ayr"}}, 200)
    notes = read(as_csv(tmp_path / "rare.csv", rows), workspace, ["town", "score"]).notes
    assert any("fewer than 1% of customers have 'Ayr' (1)" in note for note in notes)


# What is made of the values


def test_amounts_are_taken_by_their_logarithm_and_bands_as_they_are() -> None:
    random = np.random.default_rng(5)
    amounts, ages = random.lognormal(4, 1, (400, 2)), random.uniform(18, 80, (400, 1))
    assert transform_for(amounts) == "log1p"
    assert transform_for(np.hstack([amounts, ages])) == "log1p"
    assert transform_for(np.hstack([amounts[:, :1], ages])) == "log1p"
    scores = random.uniform(0, 100, (400, 3))
    assert transform_for(np.hstack([random.gamma(2, 40, (400, 1)), scores])) == "identity"
    assert transform_for(amounts - np.min(amounts) - 1) == "identity"
    assert transform_for(np.zeros((9, 1))) == "identity"


def test_shares_are_of_those_whose_word_is_known() -> None:
    (york, bath) = shares({"Town": ["York", "Bath", None, "York"]})["Town"]
    assert (york.level, york.customers, york.share) == ("York", 2, 0.666667)
    assert (bath.level, bath.customers, bath.share) == ("Bath", 1, 0.333333)


# The mall


def test_the_mall_has_its_five_groups(workspace: Workspace, real_data: Path) -> None:
    file = real_data / "Mall_Customers.csv"
    table = read(file, workspace, ["annual income", "spending_score"], customer="CustomerID")
    assert (len(table.ids), table.transform) == (200, "identity")
    values = table.matrix()
    recipe = Recipe("as they are", table.features, table.transform, TAILS)
    separation = {}
    for k in range(3, 11):
        pipeline = fit_recipe(recipe, values, k, seed=0)
        separation[k] = silhouette_score(points_of(pipeline, values), pipeline.predict(values))
    assert max(separation, key=lambda k: separation[k]) == 5
    labels = fit_recipe(recipe, values, 5, seed=0).predict(values)
    assert sorted(np.bincount(labels).tolist(), reverse=True) == [81, 39, 35, 23, 22]
    young = int(labels[np.argmin(values[:, 0] - values[:, 1])])  # earns least for what is spent
    profile = spreads({name: one[labels == young] for name, one in table.numeric.items()})
    assert (profile["Annual Income (k$)"].median, profile["Spending Score (1-100)"].median) == (24.5, 77.0)
    assert profile["Age"].median == 23.5
    genders = np.array(table.categorical["Gender"], dtype=object)[labels == young].tolist()
    assert [(one.level, one.customers) for one in shares({"Gender": genders})["Gender"]] == [
        ("Female", 13),
        ("Male", 9),
    ]
