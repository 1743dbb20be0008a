"""The service over a model of a table of customers."""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from backports import zstd

from models.artifact import read_artifact
from models.model import SegmentationModel
from models.playbook import load_playbooks
from models.registry import Registry
from service import __main__ as command_line
from tests.club import AS_OF, TOWNS, club, write_table
from tests.service.forms.sent import ipc
from tests.service.serving import TestClient, serving, settings_for
from training import __main__ as training
from training.fit_table import TableOrder, fit_table
from training.table_columns import Columns

FEATURES = {"spent": 480.0, "club": "gold", "town": TOWNS[2]}


@pytest.fixture(scope="module")
def club_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry whose active model decides by what is spent, by club and by town; `recency` only describes."""
    folder = tmp_path_factory.mktemp("club")
    order = TableOrder(
        write_table(folder / "club.csv", club(300)), Columns("id", ("spent", "club", "town")), AS_OF, folder / "models",
        load_playbooks(), segments=range(5, 7),
    )  # fmt: skip
    Registry(order.models_dir).activate(fit_table(order, lambda _: None).version)
    return order.models_dir


@pytest.fixture(scope="module")
def club_model(club_models: Path) -> SegmentationModel:
    return SegmentationModel.of(read_artifact(club_models / Registry(club_models).active()))


@pytest.fixture(scope="module")
def store(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("store") / "own.sqlite3"
    path.write_bytes(migrated_sqlite.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def client(store: str, club_models: Path) -> Iterator[TestClient]:
    with serving(settings_for(store, club_models)) as client:
        yield client


def answered(client: TestClient, features: Mapping[str, object], customer: str = "C1") -> dict[str, Any]:
    response = client.post("/segment", json={"customer_id": customer, "features": features})
    assert response.status_code == 200, response.text
    return dict(response.json())


def faults(client: TestClient, request: Mapping[str, object]) -> dict[str, str]:
    response = client.post("/segment", json={"customer_id": "C1", **request})
    assert response.status_code == 422, response.text
    return {one["pointer"]: one["detail"] for one in response.json()["errors"]}


def test_a_customer_is_assigned_by_numbers_and_words(client: TestClient, club_model: SegmentationModel) -> None:
    answer = answered(client, {**FEATURES, "recency": 0.25})
    # spent, club=basic, town=Hull, town=St "Ives", town=York
    nearest = club_model.scorer.place([480.0, 0.0, 0.0, 1.0, 0.0]).nearest
    assert answer["segment"]["id"] == club_model.segments[nearest].id
    assert answer["features"] == {**FEATURES, "recency": 0.25}
    assert set(answer["contributions"]) == set(club_model.features)
    assert (answer["decays_on"], answer["next_segment"], answer["recommendation"]["products"]) == (None, None, [])


def test_words_are_told_with_the_shares_who_have_them(client: TestClient, club_model: SegmentationModel) -> None:
    found: dict[tuple[str, float], dict[str, Any]] = {}
    for features in (FEATURES, {**FEATURES, "club": "basic"}, {**FEATURES, "town": "York"}):
        answer = answered(client, features)
        found |= {(one["feature"], one["value"]): one for one in answer["reasons"]}
    everyone = sum(one.size for one in club_model.segments)
    basic = sum(
        one.customers for segment in club_model.segments for one in segment.categories["club"] if one.level == "basic"
    )
    gold = found["club=basic", 0.0]
    assert gold["base_median"] == pytest.approx(basic / everyone, abs=1e-4)
    assert gold["says"].startswith("club is gold; so are ")
    assert f" % here, {100 - round(100 * basic / everyone)} % of all customers" in gold["says"]
    of_towns = {key: one["says"] for key, one in found.items() if "town=" in key[0]}
    assert of_towns
    for (column, value), says in of_towns.items():
        town = column.removeprefix("town=")
        assert says.startswith(f"town is {town if value else f'not {town}'}; so are ")


def test_a_column_called_recency_is_no_number_of_days(client: TestClient) -> None:
    assert answered(client, {**FEATURES, "recency": -0.5})["features"]["recency"] == -0.5
    assert answered(client, {**FEATURES, "recency": None})["features"] == FEATURES
    beyond = answered(client, {**FEATURES, "recency": -7.0})["outside_training"]
    assert [(one["feature"], one["value"]) for one in beyond] == [("recency", -7.0)]


def test_an_unknown_word_is_refused_with_the_words_there_are(client: TestClient) -> None:
    assert faults(client, {"features": {**FEATURES, "club": "silver"}}) == {
        "/features/club": "is \"silver\", and must be 'basic' or 'gold'"
    }
    told = faults(client, {"features": {"club": "gold", "town": 3, "spent": "much", "country": "UK"}})
    assert set(told) == {"/features/town", "/features/spent", "/features/country"}


def test_transactions_are_refused_with_what_to_send(client: TestClient) -> None:
    line = {"quantity": 1, "invoice_date": "2011-12-01T10:00:00Z", "unit_price": 2}
    for sent in ({"transactions": [line]}, {"transactions": [line], "features": FEATURES}):
        (detail,) = faults(client, sent).values()
        assert "this model takes features" in detail
    assert faults(client, {}) == {"/features": "is missing; send it"}


def test_a_stored_answer_is_recalled_in_the_same_words(client: TestClient) -> None:
    given = answered(client, {**FEATURES, "recency": 0.1}, "recalled")
    assert client.get("/customers/recalled").json() == given


def test_a_batch_answers_as_single_requests_do(client: TestClient) -> None:
    sent = [{"customer_id": "B", "features": features} for features in (FEATURES, {**FEATURES, "club": "no"})]
    first, second = client.post("/segment/batch", json=sent).json()["results"]
    assert first["answer"]["reasons"] == answered(client, FEATURES)["reasons"]
    assert second["problem"]["errors"][0]["pointer"] == "/features/club"


def test_segments_are_listed_with_the_largest_first_and_without_money(client: TestClient) -> None:
    segments = client.get("/segments").json()["segments"]
    sizes = [one["size"] for one in segments]
    assert sizes == sorted(sizes, reverse=True)
    assert {one["revenue"] for one in segments} == {None}
    assert all({one["level"] for one in segment["categories"]["club"]} <= {"gold", "basic"} for segment in segments)
    for one in segments:
        assert client.get(f"/segments/{one['id']}/recommendations").status_code == 200


def test_the_examples_in_the_document_can_be_sent(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    shown = document["paths"]["/segment"]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert list(shown) == ["features"]
    assert client.post("/segment", json=shown["features"]["value"]).status_code == 200
    schemas = document["components"]["schemas"]
    assert "transactions" not in schemas["SegmentRequest"]["properties"]
    assert "features" in schemas["SegmentRequest"]["required"]
    assert schemas["Features"]["properties"]["club"]["enum"] == ["basic", "gold"]


# A file of customers


Score = Callable[..., tuple[int, str]]


@pytest.fixture
def score(store: str, club_models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Score:
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", store)
    monkeypatch.setenv("SEGMENTATION_MODELS_DIR", str(club_models))

    def run(*arguments: object) -> tuple[int, str]:
        code = command_line.main(["score", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, " ".join((out + err).split())

    return run


def test_the_table_itself_can_be_scored(score: Score, client: TestClient, club_models: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ndjson"
    code, said = score(club_models.parent / "club.csv", "--out", out)
    assert (code, said) == (0, f"300 customers in {out}")
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["customer_id"] for row in rows] == [row[0] for row in club(300)]
    with (club_models.parent / "club.csv").open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    features = {"spent": float(first["spent"]), "club": first["club"], "town": first["town"]}
    assert rows[0]["segment"] == answered(client, features)["segment"]["name"]


def test_a_bad_row_says_so_and_another_table_is_refused(score: Score, tmp_path: Path) -> None:
    rows = [("C1", 500, " gold ", "York", ""), ("C2", 500, "silver", "York", ""), ("C3", "", "gold", "Hull", 1)]
    out = tmp_path / "out.csv"
    assert score(write_table(tmp_path / "some.csv", rows), "--out", out)[0] == 0
    with out.open(encoding="utf-8", newline="") as file:
        problems = [row["problem"] for row in csv.DictReader(file)]
    assert problems == ["", "/features/club: is \"silver\", and must be 'basic' or 'gold'",
                        "/features/spent: is missing; send it"]  # fmt: skip
    (tmp_path / "other.csv").write_text("id,spent\nC1,5\n", "utf-8")
    code, said = score(tmp_path / "other.csv", "--out", out)
    assert code == 1
    assert (
        "other.csv has no column 'club', 'town', by which the active model decides; its columns are id, spent" in said
    )
    code, said = score(tmp_path / "none.csv", "--out", out)
    assert (code, "is no file" in said) == (1, True)


# Missing values are missing at every entrance


MISSING_TEXTS = ("", " ", "\u00a0", "nan", "None", "NULL", "N/A", "-")


@pytest.mark.parametrize("value", [None, *MISSING_TEXTS])
@pytest.mark.parametrize("feature", ["recency"])
def test_what_only_describes_may_be_missing_in_every_way(client: TestClient, feature: str, value: str | None) -> None:
    assert answered(client, {**FEATURES, feature: value})["features"] == FEATURES


@pytest.mark.parametrize("value", ["", "nan", "None", "NULL", "N/A", "-"])
@pytest.mark.parametrize("form", ["csv", "arrow"])
def test_tables_over_http_have_missing_values_too(client: TestClient, form: str, value: str) -> None:
    if form == "csv":
        body = f"customer_id,spent,club,town,recency\nC1,480,gold,York,{value}\n".encode()
        kind = "text/csv"
    else:
        table = pa.table({"customer_id": ["C1"], "spent": [480.0], "club": ["gold"], "town": ["York"],
                          "recency": pa.array([value], pa.string())})  # fmt: skip
        body, kind = ipc(table, 10), "application/vnd.apache.arrow.stream"
    response = client.post("/segment/batch", content=body, headers={"Content-Type": kind, "Accept": "application/json"})
    assert response.status_code == 200, response.text
    (result,) = response.json()["results"]
    assert result["answer"]["features"] == {"spent": 480.0, "club": "gold", "town": "York"}


@pytest.mark.parametrize("value", [None, float("nan")])
def test_null_and_nan_in_arrow_are_missing(client: TestClient, value: float | None) -> None:
    table = pa.table({"customer_id": ["C1"], "spent": [480.0], "club": ["gold"], "town": ["York"],
                      "recency": pa.array([value], pa.float64(), from_pandas=False)})  # fmt: skip
    headers = {"Content-Type": "application/vnd.apache.arrow.stream", "Accept": "application/json"}
    (result,) = client.post("/segment/batch", content=ipc(table, 10), headers=headers).json()["results"]
    assert "recency" not in result["answer"]["features"]


# The commands, as a person gives them


def blank_rows(describing: Callable[[int], str], spent: Callable[[float], str] = str) -> list[tuple[str, ...]]:
    return [(f"C{at}", spent(100.0 + 37.5 * (at % 23)), str(at * 13 % 17), describing(at)) for at in range(60)]


def german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def table_of(rows: Sequence[Sequence[str]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([("id", "spend", "visits", "größe"), *rows])
    return text.getvalue().encode(encoding)


def with_blanks(at: int) -> str:
    return (" ", "\u00a0", "", "NULL", "None", "nan", "N/A", "-")[at % 8] if at % 5 == 0 else str(at % 9)


TABLES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "blanks.csv": (table_of(blank_rows(with_blanks)), ()),
    "german.csv": (table_of(blank_rows(with_blanks, german), ";", "cp1252"), ()),
    "english.csv.gz": (gzip.compress(table_of(blank_rows(with_blanks, "{:,.2f}".format))), ()),
    "tabs.txt.zst": (zstd.compress(table_of(blank_rows(with_blanks), "\t")), ()),
    "sentinels.csv": (table_of(blank_rows(lambda at: "-999" if at % 7 == 0 else str(at % 9))), ("--missing=-999",)),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_customer_of_the_table_that_was_trained_on_is_answered(
    name: str, store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, options = TABLES[name]
    (tmp_path / name).write_bytes(content)
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", store)
    monkeypatch.setenv("SEGMENTATION_MODELS_DIR", str(tmp_path / "models"))
    fitted = training.main(["fit", "--customers", str(tmp_path / name), "--id", "id", "--features", "spend", "visits",
                            "--segments", "3", "--models-dir", str(tmp_path / "models"), *options])  # fmt: skip
    assert fitted == 0
    out = tmp_path / "out.ndjson"
    assert command_line.main(["score", str(tmp_path / name), "--out", str(out)]) == 0
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["customer_id"] for row in rows] == [f"C{at}" for at in range(60)]
    assert not any("problem" in row for row in rows)
    model = SegmentationModel.of(read_artifact(tmp_path / "models" / Registry(tmp_path / "models").active()))
    assert {one.name: one.size for one in model.segments} == dict(Counter(row["segment"] for row in rows))
