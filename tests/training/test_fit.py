"""The whole of training: transactions in, a proved model out."""

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from models.artifact import Artifact, read_artifact
from models.features import NAMES
from models.model import SegmentationModel
from models.playbook import load_playbooks
from models.proof import prove, unpickle
from models.registry import Registry
from training.demo import write_demo
from training.errors import TooFewCustomers, UnreadableSource
from training.fit import CLUSTERED, Order, fit


def quiet(_: str) -> None:
    """Nobody watches."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("demo") / "demo.csv.gz"
    write_demo(file, customers=500, seed=4, start=date(2010, 12, 1), days=374)
    return file


@pytest.fixture(scope="module")
def trained(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Artifact]:
    models_dir = tmp_path_factory.mktemp("models")
    return models_dir, train(demo, models_dir)


def train(source: Path, models_dir: Path, seed: int = 0, as_of: datetime | None = None) -> Artifact:
    order = Order(sources=[str(source)], models_dir=models_dir, playbooks=load_playbooks(), seed=seed, as_of=as_of)
    return fit(order, quiet)


def test_the_same_data_seed_and_versions_give_the_same_artifact(
    trained: tuple[Path, Artifact], demo: Path, tmp_path: Path
) -> None:
    models_dir, artifact = trained
    again = train(demo, tmp_path)
    assert again.version == artifact.version
    for file in (models_dir / artifact.version).iterdir():
        assert file.read_bytes() == (tmp_path / again.version / file.name).read_bytes(), file.name


def test_fitting_again_with_the_same_data_leaves_the_published_version_as_it_is(
    trained: tuple[Path, Artifact], demo: Path
) -> None:
    models_dir, artifact = trained
    before = (models_dir / artifact.version / "manifest.json").stat().st_mtime_ns
    assert train(demo, models_dir).version == artifact.version
    Registry(models_dir).activate(artifact.version)
    assert train(demo, models_dir).version == artifact.version
    assert (models_dir / artifact.version / "manifest.json").stat().st_mtime_ns == before


def test_another_seed_is_another_version(trained: tuple[Path, Artifact], demo: Path, tmp_path: Path) -> None:
    assert train(demo, tmp_path, seed=1).version != trained[1].version


def test_segments_hold_all_customers_and_all_revenue(trained: tuple[Path, Artifact]) -> None:
    model = SegmentationModel.of(trained[1])
    manifest = trained[1].manifest
    assert sum(one.size for one in model.segments) == manifest.customers == manifest.cleaning.customers
    assert sum(one.share for one in model.segments) == pytest.approx(1, abs=1e-4)
    assert sum(one.revenue_share for one in model.segments) == pytest.approx(1, abs=1e-4)
    assert sum(one.revenue for one in model.segments) == pytest.approx(manifest.cleaning.revenue, abs=1)
    assert sorted(one.profitability_rank for one in model.segments) == list(range(1, len(model.segments) + 1))
    by_rank = sorted(model.segments, key=lambda one: one.profitability_rank)
    worth = [one.revenue_per_customer for one in by_rank]
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
    assert [name for name, _ in pipeline.steps] == ["clip", "transform", "scale", "cluster"]
    model = SegmentationModel.of(trained[1])
    random = np.random.default_rng(0)
    values = random.lognormal(3, 2, (5_000, len(CLUSTERED)))
    assert np.array_equal(pipeline.predict(values), model.scorer.place_many(values).nearest)


def test_the_pipeline_is_one_that_joblib_reads(trained: tuple[Path, Artifact]) -> None:
    import joblib

    directory, artifact = trained
    pipeline = joblib.load(directory / artifact.version / "pipeline.joblib")
    assert type(pipeline.named_steps["cluster"]).__name__ == "KMeans"


def test_the_default_as_of_is_the_end_of_the_last_purchase_day(trained: tuple[Path, Artifact]) -> None:
    manifest = trained[1].manifest
    assert manifest.as_of == datetime(2011, 12, 10, tzinfo=UTC)
    assert manifest.data_last < manifest.as_of
    assert trained[1].version.startswith("20111210-")


def test_a_retrain_keeps_the_ids_and_names_of_segments_that_go_on(demo: Path, tmp_path: Path) -> None:
    early = train(demo, tmp_path, as_of=datetime(2011, 11, 25, tzinfo=UTC))
    Registry(tmp_path).activate(early.version)
    late = train(demo, tmp_path)
    assert late.manifest.previous == early.version
    before = {one.id: one.name for one in SegmentationModel.of(early).segments}
    after = {one.id: one.name for one in SegmentationModel.of(late).segments}
    kept = set(before) & set(after)
    assert len(kept) >= 3
    assert all(before[one] == after[one] for one in kept)
    assert all(one > max(before) for one in set(after) - kept)


def test_an_id_given_by_a_model_that_was_never_active_is_not_given_again(demo: Path, tmp_path: Path) -> None:
    first = train(demo, tmp_path, as_of=datetime(2011, 9, 1, tzinfo=UTC))
    Registry(tmp_path).activate(first.version)
    aside = train(demo, tmp_path, as_of=datetime(2011, 5, 1, tzinfo=UTC))
    later = train(demo, tmp_path)
    before = {one.id for one in SegmentationModel.of(first).segments}
    fresh_aside = {one.id for one in SegmentationModel.of(aside).segments} - before
    fresh_later = {one.id for one in SegmentationModel.of(later).segments} - before
    assert not fresh_aside & fresh_later


def test_a_customer_without_product_codes_takes_no_feature_from_the_others(tmp_path: Path) -> None:
    file = tmp_path / "demo.csv"
    write_demo(file, customers=200, seed=4, start=date(2010, 12, 1), days=374)
    lines = "".join(f"X{day},,,3,{day}/2/2011 9:00,2.5,nameless,France\n" for day in (1, 2, 3))
    file.write_text(file.read_text() + lines)
    artifact = train(file, tmp_path / "models")
    assert "distinct_products" in artifact.manifest.base


def test_rows_in_another_order_give_the_same_segments(
    demo: Path, trained: tuple[Path, Artifact], tmp_path: Path
) -> None:
    import gzip

    header, *rows = gzip.decompress(demo.read_bytes()).decode().splitlines(keepends=True)
    shuffled = tmp_path / "shuffled.csv"
    order = np.random.default_rng(1).permutation(len(rows))
    shuffled.write_text(header + "".join(rows[index] for index in order))
    again = train(shuffled, tmp_path / "models")
    assert SegmentationModel.of(again).segments == SegmentationModel.of(trained[1]).segments


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


def test_for_every_real_customer_pipeline_and_scorer_agree(retail: str, tmp_path: Path) -> None:
    from training.cleaning import clean
    from training.customers import describe
    from training.reading.source import read
    from training.summaries import summarise
    from training.workspace import Workspace

    artifact = train(Path(retail), tmp_path)
    assert artifact.manifest.customers == 4_324
    with Workspace() as workspace:
        as_of = artifact.manifest.as_of
        customers = describe(summarise(clean(read([retail], workspace), as_of, workspace)), as_of)
    values = customers.matrix(CLUSTERED)
    model = SegmentationModel.of(read_artifact(tmp_path / artifact.version))
    pipeline = unpickle(artifact.files["pipeline.joblib"])
    placed = model.scorer.place_many(values).nearest
    assert np.array_equal(pipeline.predict(values), placed)
    assert [model.scorer.place(row).nearest for row in values.tolist()] == placed.tolist()
    assert {one.id: one.size for one in model.segments} == {
        segment_id: int((placed == index).sum()) for index, segment_id in enumerate(model.scorer.arrays.segment_ids)
    }
