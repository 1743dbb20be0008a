"""`python -m service score`: a whole file, without HTTP, with the same answers."""

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from models.artifact import PIPELINE, read_artifact
from models.features import MAIN_COUNTRY
from models.holdout import held_out
from models.model import SegmentationModel
from models.proof import unpickle
from service.__main__ import main
from service.store.database import open_engine
from service.store.reader import Reader
from tests.published import Published
from tests.service.requests import FEATURES, by_transactions
from tests.service.serving import serving, settings_for

Score = Callable[..., tuple[int, str]]


@pytest.fixture
def score(
    sqlite_url: str, models_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Score:
    """Runs the command; its exit code and what it said, the complaint if there was one."""
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("SEGMENTATION_MODELS_DIR", str(models_dir))

    def run(*arguments: object) -> tuple[int, str]:
        code = main(["score", *map(str, arguments)])
        written = capsys.readouterr()
        return code, (written.err if code else written.out).strip()

    return run


def table(path: Path, *rows: dict[str, Any]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(one) for one in path.read_text("utf-8").splitlines()]


def test_a_file_of_features_is_answered_row_by_row_and_bad_rows_hold_nobody_up(score: Score, tmp_path: Path) -> None:
    source = table(
        tmp_path / "customers.csv",
        {"customer_id": "0017850", "as_of": "2011-12-10", **FEATURES, "main_country": "France"},
        {"customer_id": "2", "as_of": "2011-12-10", **FEATURES, "frequency": "often"},
        {"customer_id": "3", "as_of": "2011-12-10", **FEATURES, "frequency": -1},
        {"customer_id": "4", "as_of": "2011-12-10", **FEATURES, "monetary": ""},
        {"customer_id": "", "as_of": "2011-12-10", **FEATURES},
        {"customer_id": "6", "as_of": "someday", **FEATURES},
        {"customer_id": "7", "as_of": "", **FEATURES, "recency": "inf"},
        {"customer_id": "8", "as_of": "2011-12-09T12:50:00+02:00", **FEATURES},
    )
    out = tmp_path / "out.csv"
    code, said = score(source, "--out", out)
    assert (code, said) == (0, f"8 customers in {out}")
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["customer_id"] for row in rows] == ["0017850", "2", "3", "4", "", "6", "7", "8"]
    assert [row["problem"] for row in rows] == [
        "",
        '/features/frequency: is "often", and must be a number',
        "/features/frequency: is -1.0, and must be at least 1",
        "/features/monetary: is missing; send it",
        "/customer_id: must be text or a whole number",
        '/as_of: is "someday", and must be a time such as 2011-12-09T12:50:00Z',
        "/features/recency: is Infinity, and must be a finite number",
        "",
    ]
    assert rows[0]["as_of"] == "2011-12-10T00:00:00Z"
    assert rows[7]["as_of"] == "2011-12-09T10:50:00Z"
    assert rows[0]["segment"] == rows[7]["segment"] != ""
    assert rows[0]["assignment_id"] == ""
    assert rows[2]["segment"] == ""
    assert rows[0]["held_out"] == str(held_out("0017850"))
    assert rows[0]["decays_on"] > "2011-12-10"


def test_transactions_are_answered_as_post_segment_answers_them(
    score: Score,
    sqlite_url: str,
    published: Published,
    model: SegmentationModel,
    shoppers: dict[str, list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.ndjson"
    code, said = score(published.transactions, "--out", out, "--as-of", "2011-12-10", "--store")
    assert (code, said) == (0, f"600 customers in {out} and in the database")
    scored = {one["customer_id"]: one for one in lines_of(out)}
    assert scored.keys() == shoppers.keys()

    sent = [by_transactions(*lines, customer_id=name) for name, lines in shoppers.items()]
    with serving(settings_for(sqlite_url, published.directory)) as client:
        stored = {name: client.get(f"/customers/{name}").json() for name in scored}
        results = client.post("/segment/batch", json=sent).json()["results"]
    posted = {one["answer"]["customer_id"]: one["answer"] for one in results}
    for name, one in scored.items():
        answer = posted[name]
        assert "problem" not in one
        assert one["segment_id"] == answer["segment"]["id"]
        assert one["confidence"] == answer["confidence"]
        assert one["assignment_id"] == stored[name]["assignment_id"]
        assert one["decays_on"] == answer["decays_on"]
        assert one["becomes"] == (answer["becomes"] and answer["becomes"]["name"])
        assert one["held_out"] == answer["recommendation"]["held_out"]
        # what was bought is not in a table of features: there the products are the segment's
        by_segment = {"products": stored[name]["recommendation"]["products"],
                      "offers": stored[name]["recommendation"]["offers"]}  # fmt: skip
        assert one["products"] == " ".join(by_segment["products"])
        expected = {key: value for key, value in answer.items() if key not in ("assignment_id", "ignored")}
        expected["recommendation"] |= by_segment
        assert {key: stored[name][key] for key in expected} == expected

    # And all of them as the trained pipeline itself has it.
    pipeline = unpickle(read_artifact(published.directory / published.first).files[PIPELINE])
    matrix = pd.DataFrame([posted[name]["features"] for name in posted])[list(model.features)].to_numpy()
    ids = [model.scorer.arrays.segment_ids[cluster] for cluster in pipeline.predict(matrix)]
    assert ids == [posted[name]["segment"]["id"] for name in posted]


@pytest.mark.usefixtures("score")
def test_transactions_that_are_not_plausible_are_answered_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"InvoiceNo": 500 + number, "StockCode": 21730, "Description": "MUG", "Quantity": 2, "UnitPrice": 2.5,
         "InvoiceDate": "2011-11-01 09:00:00", "CustomerID": 100 + number, "Country": "France"}
        for number in range(25)
    ]  # fmt: skip
    out = tmp_path / "out.ndjson"
    assert main(["score", str(table(tmp_path / "purchases.csv", *rows)), "--out", str(out)]) == 0
    told = capsys.readouterr().err
    assert "score: the check one_day failed: " in told
    assert told.count("the check") == 1
    assert [one.get("problem") for one in lines_of(out)] == [None] * 25


def test_without_store_nothing_is_stored(score: Score, sqlite_url: str, tmp_path: Path) -> None:
    source = table(tmp_path / "customers.csv", {"customer_id": "1", "as_of": "2011-12-10", **FEATURES})
    assert score(source, "--out", tmp_path / "out.csv")[0] == 0
    assert history(sqlite_url, "1") == 0
    assert score(source, "--out", tmp_path / "out.csv", "--store")[0] == 0
    assert history(sqlite_url, "1") == 1


def history(url: str, customer_id: str) -> int:
    engine = open_engine(url)
    found = Reader(engine).history(customer_id, None, 10)
    engine.dispose()
    return len(found)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
def test_tables_of_every_kind_give_the_same_answers(score: Score, tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame(
        [{"Customer ID": name, "as_of": "2011-12-10", **FEATURES, MAIN_COUNTRY: "France"} for name in (1, 2)]
    )
    source = tmp_path / f"customers{suffix}"
    writers: dict[str, Callable[..., object]] = {
        ".csv": frame.to_csv,
        ".parquet": frame.to_parquet,
        ".xlsx": frame.to_excel,
    }
    writers[suffix](source, index=False)
    out = tmp_path / "out.ndjson"
    assert score(source, "--out", out)[0] == 0
    assert [one["customer_id"] for one in lines_of(out)] == ["1", "2"]
    assert not any("problem" in one for one in lines_of(out))


def test_as_of_on_the_command_line_holds_for_every_row(score: Score, tmp_path: Path) -> None:
    source = table(tmp_path / "customers.csv", {"customer_id": "1", "as_of": "2011-12-10", **FEATURES})
    out = tmp_path / "out.ndjson"
    assert score(source, "--out", out, "--as-of", "2011-11-30T06:00")[0] == 0
    assert lines_of(out)[0]["as_of"] == "2011-11-30T06:00:00Z"


def test_the_customers_column_may_be_named(score: Score, tmp_path: Path) -> None:
    source = table(tmp_path / "customers.csv", {"Kunde": "007", **FEATURES})
    out = tmp_path / "out.csv.gz"
    assert score(source, "--out", out, "--as-of", "2011-12-10", "--column", "customer=Kunde")[0] == 0
    with gzip.open(out, "rt", encoding="utf-8", newline="") as file:
        assert [row["customer_id"] for row in csv.DictReader(file)] == ["007"]


def test_a_file_without_a_customers_id_is_refused_and_leaves_nothing_behind(score: Score, tmp_path: Path) -> None:
    source = table(tmp_path / "customers.csv", {"Kunde": "007", **FEATURES})
    out = tmp_path / "out.csv"
    code, said = score(source, "--out", out)
    assert code == 1
    assert said.startswith(f"score: {source.name} has no column with the customer's id among Kunde, recency")
    assert "--column customer=NAME" in said
    assert sorted(path.name for path in tmp_path.glob("*out*")) == []


@pytest.mark.parametrize("name", ["nowhere/out.csv", "out.txt", "out"])
def test_an_output_nobody_can_write_is_refused_before_any_work(score: Score, tmp_path: Path, name: str) -> None:
    code, said = score(tmp_path / "none.csv", "--out", tmp_path / name)
    assert code == 1
    assert said.startswith(f"score: cannot write {tmp_path / name}: name a .csv, .csv.gz or .ndjson file")


def test_a_file_that_is_not_there_is_told(score: Score, tmp_path: Path) -> None:
    code, said = score(tmp_path / "none.csv", "--out", tmp_path / "out.csv")
    assert code == 1
    assert "none.csv" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("wrong", [("--as-of", "someday"), ("--column", "Kunde")])
def test_an_argument_nobody_can_read_is_told(score: Score, tmp_path: Path, wrong: tuple[str, str]) -> None:
    with pytest.raises(SystemExit) as end:
        score(tmp_path / "none.csv", "--out", tmp_path / "out.csv", *wrong)
    assert end.value.code == 2


def test_an_older_output_is_replaced_only_by_a_whole_one(score: Score, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("kept")
    assert score(table(tmp_path / "bad.csv", {"Kunde": "1", **FEATURES}), "--out", out)[0] == 1
    assert out.read_text() == "kept"
    assert score(table(tmp_path / "good.csv", {"id": "1", **FEATURES}), "--out", out, "--as-of", "2011-12-10")[0] == 0
    assert out.read_text().startswith("customer_id,as_of")
