"""Which model a new one descends from."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from models.artifact import read_artifact
from models.model import SegmentationModel
from models.registry import Registry
from tests.published import Published
from training.errors import UnreadableSource
from training.lineage import Lineage, lineage
from training.recipe import fit_recipe, points_of


def line_of(directory: Path, version: str, asked: str | None = None, days: int = 0) -> Lineage:
    """The lineage of training again on the data of a version, or as asked otherwise, or for another moment."""
    manifest = read_artifact(directory / version).manifest
    as_of = manifest.as_of + timedelta(days=days)
    return lineage(directory, manifest.data, as_of, asked or str(manifest.parameters["asked"]), None)


def test_the_first_model_descends_from_none(tmp_path: Path, published: Published) -> None:
    manifest = read_artifact(published.directory / published.first).manifest
    assert lineage(tmp_path, manifest.data, manifest.as_of, "", None) == Lineage(None, 1)


def test_training_the_same_again_descends_from_what_the_first_time_did(own_models_dir: Path, model: SegmentationModel,
                                                                       published: Published) -> None:  # fmt: skip
    assert line_of(own_models_dir, published.first).previous is None
    Registry(own_models_dir).activate(published.second)
    again = line_of(own_models_dir, published.second)
    assert again.previous is not None
    assert again.previous.version == published.first
    assert again.first_free_id == model.manifest.parameters["next_segment_id"]


@pytest.mark.parametrize("other", [{"asked": "3-5 7 90"}, {"days": 30}])
def test_training_otherwise_descends_from_the_active_model(published: Published, other: dict[str, int]) -> None:
    found = line_of(published.directory, published.first, **other)  # type: ignore[arg-type]
    assert found.previous is not None
    assert found.previous.version == published.first


def test_an_id_given_by_a_model_that_was_never_active_is_not_free(published: Published) -> None:
    given = [
        one.id
        for version in (published.first, published.second)
        for one in SegmentationModel.of(read_artifact(published.directory / version)).segments
    ]
    assert line_of(published.directory, published.first, days=30).first_free_id > max(given)


def test_how_the_model_before_makes_its_segments_can_be_done_again(model: SegmentationModel) -> None:
    before = Lineage(model, 9).before_of("transactions")
    assert before is not None
    recipe, k = before
    arrays = model.scorer.arrays
    assert (recipe.features, recipe.transform, k) == (arrays.features, arrays.transform, len(model.segments))
    assert recipe.name.startswith("as before: ")
    values = np.array(model.reference.values)
    steps = fit_recipe(replace(recipe, tails=0.0), values, k, seed=0)
    correlation = np.corrcoef(points_of(steps, values)[:, 0], model.scorer.points(values)[:, 0])[0, 1]
    assert abs(correlation) > 0.95
    assert Lineage(model, 9).before_of("customers") is None  # their features come in another way
    assert Lineage(None, 1).before_of("transactions") is None


def test_an_active_model_that_cannot_be_read_stops_training_with_a_sentence(
    own_models_dir: Path, published: Published
) -> None:
    manifest = read_artifact(own_models_dir / published.first).manifest
    (own_models_dir / published.first / "segments.json").write_bytes(b"[]")
    with pytest.raises(UnreadableSource, match="so its segment ids cannot be carried on") as refused:
        lineage(own_models_dir, manifest.data, manifest.as_of, "other", None)
    assert "train into another --models-dir" in str(refused.value)


def test_an_ancestor_that_is_gone_is_nobody_to_descend_from(own_models_dir: Path, published: Published) -> None:
    Registry(own_models_dir).activate(published.second)
    manifest = read_artifact(own_models_dir / published.second).manifest
    (own_models_dir / published.first / "segments.json").write_bytes(b"[]")
    found = lineage(own_models_dir, manifest.data, manifest.as_of, str(manifest.parameters["asked"]), None)
    assert found.previous is None
