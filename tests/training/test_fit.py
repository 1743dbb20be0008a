"""The whole of training: transactions in, a proved model out."""

import csv
import gzip
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import joblib
import numpy as np
import pytest

from models.artifact import Artifact, read_artifact
from models.features import NAMES
from models.model import SegmentationModel
from models.proof import prove, unpickle
from models.registry import Registry
from tests.published import SEGMENTS, Published
from tests.training.conftest import Shop
from tests.training.shops import demo_shop, history_of, placed_by, rows_of, train, written
from training.customers import Customers
from training.errors import TooFewCustomers, UnreadableSource
from training.workspace import Workspace


@pytest.fixture(scope="module")
def trained(published: Published) -> tuple[Path, Artifact]:
    return published.directory, read_artifact(published.directory / published.first)


# The same again --------------------------------------------------------------------------------------


def test_the_same_data_again_is_the_same_version_though_it_is_active_now(young_shop: Shop, tmp_path: Path) -> None:
    first = young_shop.artifact
    with pytest.raises(UnreadableSource, match=r"movers\.csv was not written. There is no model before this one"):
        train(young_shop.file, tmp_path, movers=tmp_path / "movers.csv")  # the model itself is published
    assert read_artifact(tmp_path / first.version).files == first.files
    Registry(tmp_path).activate(first.version)
    before = (tmp_path / first.version / "manifest.json").stat().st_mtime_ns
    assert train(young_shop.file, tmp_path).version == first.version
    assert (tmp_path / first.version / "manifest.json").stat().st_mtime_ns == before
    assert Registry(tmp_path).versions() == [first.version]


def test_rows_in_another_order_give_the_same_segments(
    trained: tuple[Path, Artifact], published: Published, tmp_path: Path
) -> None:
    header, *rows = gzip.decompress(published.transactions.read_bytes()).decode().splitlines(keepends=True)
    shuffled = tmp_path / "shuffled.csv"
    order = np.random.default_rng(1).permutation(len(rows))
    shuffled.write_text(header + "".join(rows[index] for index in order))
    again = SegmentationModel.of(train(shuffled, tmp_path / "models", segments=SEGMENTS))
    first = SegmentationModel.of(trained[1])
    assert again.segments == first.segments
    assert again.scorer.arrays == first.scorer.arrays
    assert again.manifest.evidence == first.manifest.evidence


# A month more ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def month_more(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Artifact, Path]:
    """A model, the one made in its place a month later, and who moved."""
    folder = tmp_path_factory.mktemp("month")
    shop = demo_shop(folder / "shop.csv", customers=400, days=200)
    early = train(shop, folder / "models", as_of=datetime(2011, 5, 20, tzinfo=UTC))
    Registry(folder / "models").activate(early.version)
    return early, train(shop, folder / "models", movers=folder / "movers.csv"), folder / "movers.csv"


def keeps_ids_and_names(early: Artifact, late: Artifact) -> None:
    assert late.manifest.previous == early.version
    before = {one.id: one.name for one in SegmentationModel.of(early).segments}
    after = {one.id: one.name for one in SegmentationModel.of(late).segments}
    kept = set(before) & set(after)
    assert len(kept) >= min(len(before), len(after)) - 1
    assert all(before[one] == after[one] for one in kept)
    assert all(one > max(before) for one in set(after) - kept)


def test_a_month_later_segments_that_go_on_keep_their_ids_and_names(
    month_more: tuple[Artifact, Artifact, Path],
) -> None:
    keeps_ids_and_names(month_more[0], month_more[1])


def test_the_way_of_the_model_before_is_among_the_candidates(month_more: tuple[Artifact, Artifact, Path]) -> None:
    early, late, _ = month_more
    (before,) = (one for one in late.manifest.selection.candidates if one.name.startswith("as before: "))
    assert before.name == f"as before: {early.manifest.selection.winner.name}"
    assert (before.k, before.features) == (early.manifest.selection.winner.k, early.manifest.selection.winner.features)
    assert not any(one.name.startswith("as before: ") for one in early.manifest.selection.candidates)


def test_who_moved_is_counted_and_those_who_did_are_in_the_file(month_more: tuple[Artifact, Artifact, Path]) -> None:
    early, late, file = month_more
    found = late.manifest.movements
    assert early.manifest.movements is None
    assert found is not None
    assert (found.previous, found.previous_as_of, found.unavailable) == (early.version, early.manifest.as_of, None)
    assert (found.known + found.gone, found.known + found.new) == (early.manifest.customers, late.manifest.customers)
    with file.open(encoding="utf-8", newline="") as opened:
        moved = list(csv.DictReader(opened))
    assert len(moved) == found.moved > 0
    for name in ("customer changed", "model changed", "both"):
        assert sum(row["why"] == name for row in moved) == getattr(found, name.replace(" ", "_")), name
    names = {one.id: one.name for one in (*SegmentationModel.of(early).segments, *SegmentationModel.of(late).segments)}
    assert all(names[int(row["to_segment_id"])] == row["to_segment"] for row in moved)


def test_no_customer_is_named_in_a_published_model(month_more: tuple[Artifact, Artifact, Path]) -> None:
    _, late, file = month_more
    with file.open(encoding="utf-8", newline="") as opened:
        customers = {row["customer_id"] for row in csv.DictReader(opened)}
    assert customers
    for name in ("movements", "evidence", "selection", "drivers", "rules", "cleaning"):
        said = late.manifest.model_dump_json(include={name})
        assert not customers & set(re.findall(r"[0-9]+", said)), name
    for name, content in late.files.items():
        if name.endswith(".json"):
            assert not customers & set(re.findall(r'"([0-9]+)"', content.decode())), name


# What is in a model ----------------------------------------------------------------------------------


def test_segments_hold_all_customers_and_all_revenue(trained: tuple[Path, Artifact]) -> None:
    segments, manifest = SegmentationModel.of(trained[1]).segments, trained[1].manifest
    assert manifest.cleaning is not None
    assert sum(one.size for one in segments) == manifest.customers == manifest.cleaning.customers
    assert sum(one.share for one in segments) == pytest.approx(1, abs=1e-4)
    assert sum(one.revenue_share or 0.0 for one in segments) == pytest.approx(1, abs=1e-4)
    assert sum(one.revenue or 0.0 for one in segments) == pytest.approx(manifest.cleaning.revenue, abs=1)
    by_rank = {one.profitability_rank: one.revenue_per_customer or 0.0 for one in segments}
    worth = [by_rank[rank] for rank in range(1, len(segments) + 1)]
    assert worth == sorted(worth, reverse=True)


def test_every_segment_has_a_profile_and_a_playbook(trained: tuple[Path, Artifact]) -> None:
    model = SegmentationModel.of(trained[1])
    assert len({one.name for one in model.segments}) == len(model.segments)
    for one in model.segments:
        assert set(one.features) == set(NAMES)
        assert one.mode_of_quantity is not None
        assert one.mode_of_quantity >= 1
        assert one.countries
        assert one.products
        assert model.playbook(one).goal


def test_the_pickle_is_a_pipeline_that_predicts_what_the_arrays_say(trained: tuple[Path, Artifact]) -> None:
    prove(trained[1])
    pipeline = unpickle(trained[1].files["pipeline.joblib"])
    model = SegmentationModel.of(trained[1])
    along = [] if model.scorer.arrays.axis is None else ["products", "axis"]
    assert [name for name, _ in pipeline.steps] == ["clip", "transform", "scale", *along, "cluster"]
    random = np.random.default_rng(0)
    values = random.lognormal(3, 2, (5_000, len(model.features)))
    assert np.array_equal(pipeline.predict(values), model.scorer.place_many(values).nearest)


def test_the_pipeline_is_one_that_joblib_reads(trained: tuple[Path, Artifact]) -> None:
    directory, artifact = trained
    pipeline = joblib.load(directory / artifact.version / "pipeline.joblib")
    assert type(pipeline.named_steps["cluster"]).__name__ == "KMeans"


def test_the_default_as_of_is_the_end_of_the_last_purchase_day(trained: tuple[Path, Artifact]) -> None:
    manifest = trained[1].manifest
    assert manifest.as_of == datetime(2011, 12, 10, tzinfo=UTC)
    assert manifest.data_last is not None
    assert manifest.data_last < manifest.as_of
    assert trained[1].version.startswith("20111210-")


def test_a_customer_without_product_codes_takes_no_feature_from_the_others(young_shop: Shop) -> None:
    manifest = young_shop.artifact.manifest
    assert "distinct_products" in manifest.base
    assert "distinct_products" not in manifest.selection.winner.features


def test_data_without_customers_is_refused_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "guests.csv"
    file.write_text("InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n1,A,1,2011-01-01,2.5,\n")
    with pytest.raises(UnreadableSource, match="no line has both a customer and a date"):
        train(file, tmp_path)


def test_a_handful_of_customers_is_refused_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "few.csv"
    file.write_text("InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n1,A,1,2011-01-01,2.5,7\n")
    with pytest.raises(TooFewCustomers, match="1 customers have a purchase left"):
        train(file, tmp_path)


# The real shop ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real_month_more(real_models: Path) -> tuple[Artifact, Artifact]:
    """The model of the real shop a month before, and the one made in its place."""
    registry = Registry(real_models)
    late = registry.active()
    (early,) = set(registry.versions()) - {late}
    return read_artifact(real_models / early), read_artifact(real_models / late)


@pytest.fixture(scope="module")
def real_customers(retail: str) -> Customers:
    with Workspace() as workspace:
        history = history_of(retail, workspace)
        return history.customers(history.as_of)


def test_a_month_later_the_real_shops_segments_keep_their_ids_and_names(
    real_month_more: tuple[Artifact, Artifact],
) -> None:
    keeps_ids_and_names(*real_month_more)


def test_for_every_real_customer_pipeline_and_scorer_agree(
    real_month_more: tuple[Artifact, Artifact], real_customers: Customers
) -> None:
    artifact = real_month_more[1]
    assert artifact.manifest.customers == 4_324
    model = SegmentationModel.of(artifact)
    values = real_customers.matrix(model.features)
    placed = model.scorer.place_many(values).nearest
    assert np.array_equal(unpickle(artifact.files["pipeline.joblib"]).predict(values), placed)
    assert [model.scorer.place(row).nearest for row in values.tolist()] == placed.tolist()
    assert {one.id: one.size for one in model.segments} == {
        segment_id: int((placed == index).sum()) for index, segment_id in enumerate(model.scorer.arrays.segment_ids)
    }


def test_of_the_real_shops_customers_said_to_stay_that_share_stays(real_month_more: tuple[Artifact, Artifact]) -> None:
    for artifact in real_month_more:
        evidence = artifact.manifest.evidence
        assert evidence.beyond_chance is True
        assert evidence.warnings == evidence.unproved == ()
        assert all(abs(one.said - one.kept) < 0.1 for one in evidence.calibration), evidence.calibration


@pytest.fixture(scope="module")
def halves(retail: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[SegmentationModel, SegmentationModel]:
    """The models of one half of the real customers and, in its place, of the other half."""
    folder = tmp_path_factory.mktemp("halves")
    rows = rows_of(Path(retail), encoding="latin-1")
    models = []
    for half in (0, 1):
        mine = [row for row in rows if hashlib.sha256(row["CustomerID"].encode()).digest()[0] & 1 == half]
        artifact = train(written(folder / f"{half}.csv", mine), folder / "models", segments=range(3, 11))
        Registry(folder / "models").activate(artifact.version)
        models.append(SegmentationModel.of(artifact))
    return models[0], models[1]


def test_two_halves_of_the_real_customers_make_the_same_segments(
    halves: tuple[SegmentationModel, SegmentationModel], real_customers: Customers
) -> None:
    first, second = (placed_by(model, real_customers) for model in halves)
    for half in (0, 1):
        theirs = [one for one in first if hashlib.sha256(one.encode()).digest()[0] & 1 == half]
        assert len(theirs) > 2_000
        alike = sum(first[one] == second[one] for one in theirs) / len(theirs)
        assert alike >= 0.90, f"half {half}: {alike:.1%}"


# Real data --------------------------------------------------------------------------------------------


def test_the_segments_of_uci_online_retail_have_their_names(real_data: Path, tmp_path: Path) -> None:
    artifact = train(real_data / "online_retail.csv.gz", tmp_path / "models", range(3, 11))
    names = [one.name for one in sorted(SegmentationModel.of(artifact).segments, key=lambda one: one.id)]
    assert names == ["Champions", "Loyal", "Needs attention", "Promising", "About to sleep", "Lost"]
