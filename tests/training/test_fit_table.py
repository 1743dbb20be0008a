"""Models of a table of customers: trained, named, profiled, trained again."""

import csv
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from models.artifact import Artifact, read_artifact
from models.category import collapse, expand
from models.model import SegmentationModel
from models.playbook import load_playbooks
from models.registry import Registry
from tests.club import AS_OF, club, write_table
from tests.published import Published, trained
from training.__main__ import main
from training.errors import TooFewCustomers, UnreadableSource
from training.fit_table import TableOrder, fit_table
from training.table_columns import Columns

INCOME, SCORE = "Annual Income (k$)", "Spending Score (1-100)"
MALL = ("annual income", "spending score")


def order_of(
    source: Path, models_dir: Path, features: Sequence[str], customer: str, as_of: datetime = AS_OF
) -> TableOrder:
    return TableOrder(source, Columns(customer, features), as_of, models_dir, load_playbooks(), segments=range(3, 7))


def fitted(order: TableOrder) -> Artifact:
    """A model that is trained, and made the active one."""
    artifact = fit_table(order, lambda _: None)
    Registry(order.models_dir).activate(artifact.version)
    return artifact


@pytest.fixture
def club_file(tmp_path: Path) -> Path:
    return write_table(tmp_path / "club.csv", club(300))


# The mall


@pytest.fixture(scope="module")
def mall(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The model of income and score, over the default numbers of segments."""
    order = TableOrder(
        real_data / "Mall_Customers.csv", Columns("CustomerID", MALL), AS_OF, tmp_path_factory.mktemp("mall"),
        load_playbooks(),
    )  # fmt: skip
    return fit_table(order, lambda _: None)


def test_the_mall_has_its_five_groups_by_name(mall: Artifact) -> None:
    model = SegmentationModel.of(mall)
    assert [(one.id, one.name, one.size) for one in sorted(model.segments, key=lambda one: one.id)] == [
        (1, "Average Annual Income, average Spending Score", 81),
        (2, "High Annual Income, high Spending Score", 39),
        (3, "High Annual Income, low Spending Score", 35),
        (4, "Low Annual Income, low Spending Score", 23),
        (5, "Low Annual Income, high Spending Score", 22),
    ]
    assert mall.manifest.selection.winner.silhouette == pytest.approx(0.555, abs=0.001)
    assert mall.manifest.rules is not None
    assert mall.manifest.rules.fidelity > 0.9


def test_age_and_gender_are_in_the_profiles_and_decide_nothing(mall: Artifact) -> None:
    model = SegmentationModel.of(mall)
    assert model.features == model.deciding == (INCOME, SCORE)
    young = model.segment(5)
    assert young.features["Age"].median == 23.5
    assert [(one.level, one.customers) for one in young.categories["Gender"]] == [("Female", 13), ("Male", 9)]
    assert "Age: 23.5, over all customers 36" in young.differs_in
    by_name = {one.name: one for one in mall.manifest.features}
    assert {name: one.clusters for name, one in by_name.items()} == {
        INCOME: True, SCORE: True, "Age": False, "Gender": False,
    }  # fmt: skip
    assert (by_name[INCOME].unit, by_name["Age"].unit) == ("k$", "")


def test_what_a_table_cannot_tell_is_not_told(mall: Artifact) -> None:
    manifest = mall.manifest
    assert (manifest.source, manifest.cleaning, manifest.data_first, manifest.data_last) == (
        "customers",
        None,
        None,
        None,
    )
    assert manifest.evidence.backtests == ()
    assert "says nothing of later purchases" in manifest.evidence.unproved[0]
    assert manifest.evidence.warnings == ("only 200 customers; with fewer than 500 segments are a rough sketch",)
    for one in SegmentationModel.of(mall).segments:
        assert (one.revenue, one.profitability_rank, one.habits, one.products) == (None, None, None, ())
        assert one.uplift is not None
        assert one.uplift.assumed


# Words that decide


def test_words_that_decide_are_in_names_profiles_and_rules(club_file: Path, tmp_path: Path) -> None:
    model = SegmentationModel.of(fitted(order_of(club_file, tmp_path / "models", ("spent", "club"), "id")))
    assert model.features == ("spent", "club=basic")
    assert model.deciding == ("spent", "club")
    assert model.levels == {"club": ("basic", "gold")}
    assert set(model.manifest.ranges) == {"spent", "recency"}
    golden = [one for one in model.segments if one.categories["club"][0].level == "gold"]
    assert golden
    for one in golden:
        assert "lub gold" in one.name
        assert one.rule is not None
        assert "club gold" in one.rule.words


def test_features_come_back_from_the_columns_they_make(club_file: Path, tmp_path: Path) -> None:
    model = SegmentationModel.of(fitted(order_of(club_file, tmp_path / "models", ("club", "town", "spent"), "id")))
    for values in model.reference.values:
        assert expand(model.columns, collapse(model.columns, model.levels, values)) == list(values)


# Trained again


def sizes(artifact: Artifact) -> Mapping[int, tuple[str, int]]:
    return {one.id: (one.name, one.size) for one in SegmentationModel.of(artifact).segments}


def test_the_same_table_gives_the_same_model(club_file: Path, tmp_path: Path) -> None:
    order = order_of(club_file, tmp_path / "models", ("spent", "club"), "id")
    assert fitted(order).version == fitted(order).version


def test_the_order_of_the_rows_has_no_say(tmp_path: Path) -> None:
    rows = club(300)
    one, other = (write_table(tmp_path / name, some) for name, some in (("a.csv", rows), ("b.csv", rows[::-1])))
    models = [fitted(order_of(file, tmp_path / file.stem, ("spent", "club"), "id")) for file in (one, other)]
    assert sizes(models[0]) == sizes(models[1])
    assert SegmentationModel.of(models[0]).scorer.arrays == SegmentationModel.of(models[1]).scorer.arrays


def test_segments_keep_ids_and_names_in_next_months_table(tmp_path: Path) -> None:
    models_dir = tmp_path / "models"
    first = fitted(order_of(write_table(tmp_path / "may.csv", club(300)), models_dir, ("spent", "club"), "id"))
    later = AS_OF + timedelta(days=31)
    second = fitted(order_of(write_table(tmp_path / "june.csv", club(360)), models_dir, ("spent", "club"), "id", later))
    assert second.manifest.previous == first.version
    assert {one: name for one, (name, _) in sizes(second).items()} == {
        one: name for one, (name, _) in sizes(first).items()
    }
    assert second.manifest.selection.winner.name == "as before: the columns as they are"
    assert second.manifest.movements is not None
    assert "cannot be told: a table of customers" in second.manifest.movements.says


def test_other_features_give_new_names(club_file: Path, tmp_path: Path) -> None:
    fitted(order_of(club_file, tmp_path / "models", ("spent", "club"), "id"))
    other = fitted(order_of(club_file, tmp_path / "models", ("spent", "recency"), "id", AS_OF + timedelta(days=1)))
    assert all("recency" in name or "spent" in name for name, _ in sizes(other).values())
    assert not any("lub" in name for name, _ in sizes(other).values())
    assert "as before" not in other.manifest.selection.winner.name


def test_ids_of_a_model_of_transactions_are_not_used_again(
    club_file: Path, own_models_dir: Path, published: Published
) -> None:
    given = max(
        int(read_artifact(published.directory / one).manifest.parameters["next_segment_id"] or 0)
        for one in (published.first, published.second)
    )
    table = fitted(order_of(club_file, own_models_dir, ("spent", "recency"), "id"))
    assert sorted(sizes(table)) == list(range(given, given + len(sizes(table))))
    after = read_artifact(own_models_dir / trained(published.transactions, own_models_dir))
    assert min(sizes(after)) == given + len(sizes(table))
    assert after.manifest.previous == table.version
    assert after.manifest.movements is not None
    assert after.manifest.movements.unavailable is not None


# What cannot be


def test_too_few_customers_are_refused(tmp_path: Path) -> None:
    file = write_table(tmp_path / "few.csv", club(40))
    with pytest.raises(TooFewCustomers, match="40 customers"):
        fitted(order_of(file, tmp_path / "models", ("spent",), "id"))


def test_a_column_that_is_not_there_is_refused(club_file: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match="no column called 'income'"):
        fitted(order_of(club_file, tmp_path / "models", ("income",), "id"))


# The command line


@pytest.fixture
def fit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["fit", *map(str, arguments), "--models-dir", str(tmp_path / "models")])
        out, err = capsys.readouterr()
        return code, out, " ".join(err.split())

    return run


def test_the_command_trains_activates_and_shows(
    fit: Callable[..., tuple[int, str, str]], club_file: Path, tmp_path: Path
) -> None:
    before = datetime.now(UTC).date()
    code, out, _ = fit("--customers", club_file, "--id", "id", "--features", "spent", "club", "--describe", "town",
                       "--segments", "3-4")  # fmt: skip
    assert code == 0
    version = Registry(tmp_path / "models").active()
    assert version in out
    manifest = read_artifact(tmp_path / "models" / version).manifest
    assert [one.name for one in manifest.features] == ["spent", "club", "town"]
    assert manifest.as_of.time() == datetime.min.time()
    assert before <= manifest.as_of.date() <= datetime.now(UTC).date()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--customers", "a.csv", "--features", "x"), "--customers needs --id"),
        (("--customers", "a.csv", "--id", "x"), "and --features, the columns that decide"),
        (("b.csv", "--customers", "a.csv", "--id", "x", "--features", "y"), "b.csv cannot go with --customers"),
        (
            ("--customers", "a.csv", "--id", "x", "--features", "y", "--preset", "price-quantity", "--query", "q"),
            "--query, --preset cannot go with --customers",
        ),
        (("b.csv", "--id", "x"), "are for a table of customers; name it with --customers"),
        ((), "name a source of transactions, or a table of customers"),
    ],
)
def test_wrong_combinations_are_refused_in_a_sentence(
    fit: Callable[..., tuple[int, str, str]], arguments: Sequence[str], said: str
) -> None:
    code, out, err = fit(*arguments)
    assert (code, out) == (1, "")
    assert said in err


def test_groups_that_are_there_are_found(club_file: Path, tmp_path: Path) -> None:
    model = SegmentationModel.of(fitted(order_of(club_file, tmp_path / "models", ("spent", "club"), "id")))
    with club_file.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    values = np.array([expand(model.columns, {"spent": float(row["spent"]), "club": row["club"]}) for row in rows])
    placed = model.scorer.place_many(values).nearest
    kinds = np.array([int(row["id"].removeprefix("C")) % 3 for row in rows])
    purity = sum(int(np.max(np.bincount(kinds[placed == one]))) for one in np.unique(placed)) / len(rows)
    assert purity > 0.95
