"""Segments made of one option: placed by the arrays, stable, and as sure as is said."""

import numpy as np
import pytest

from models.scorer import Scorer
from tests.training.shops import quiet
from training.options import Option
from training.recipe import Recipe
from training.segmentation import Segmentation, make_segments, sampled

CENTRES = np.array([[0.0, 0.0], [3.2, 0.0], [0.0, 3.2]])


@pytest.fixture(scope="module")
def blobs() -> Segmentation:
    """Three groups that run into each other."""
    random = np.random.default_rng(3)
    values = np.concatenate([centre + random.standard_normal((250, 2)) for centre in CENTRES])
    recipe = Recipe("blobs", ("one", "other"), "identity", 0.0)
    return make_segments([Option(recipe, None, [str(at) for at in range(750)], values)], [3], None, 0, quiet)


def test_the_arrays_place_the_customers_as_they_were_clustered(blobs: Segmentation) -> None:
    assert np.array_equal(Scorer(blobs.arrays).place_many(blobs.option.values).nearest, blobs.labels)
    assert blobs.arrays.segment_ids == (0, 1, 2)


def test_of_customers_said_to_stay_that_share_stays_in_refits_nothing_was_learned_from(blobs: Segmentation) -> None:
    assert sum(one.customers for one in blobs.calibration) == 750
    assert min(one.said for one in blobs.calibration) < 0.9  # some are on a border: it is not all ones
    for one in blobs.calibration:
        assert abs(one.said - one.kept) < 0.05, one


def test_who_is_on_the_border_is_less_sure_and_goes_to_the_next_segment(blobs: Segmentation) -> None:
    curve = blobs.arrays.membership
    assert curve.kept[0] < 0.8
    assert curve.kept[-1] == 1.0
    assert curve.to_runner_up > 0.9


def test_groups_that_are_there_are_found_again(blobs: Segmentation) -> None:
    found = blobs.stability((4, 5, 6))
    assert found.ari.value > 0.9
    assert set(found.jaccard) == {4, 5, 6}
    assert not found.weak
    assert found.halves == blobs.halves > 0.95


def test_without_a_trial_nothing_is_said_of_later(blobs: Segmentation) -> None:
    assert (blobs.backtest, blobs.labels_then) == (None, None)


def test_other_algorithms_are_compared_on_the_same_points(blobs: Segmentation) -> None:
    compared = blobs.selection.compared
    assert {one.name for one in compared} == {"blobs"}
    assert len({one.algorithm for one in compared}) == 4
    assert all(one.k == 3 and one.auc is None for one in compared)
    assert max(one.stability for one in compared) > 0.8


def test_a_sample_keeps_the_order_of_rows() -> None:
    values = np.arange(100.0)[:, None]
    some = sampled(values, 10, 0)
    assert len(some) == 10
    assert np.all(np.diff(some[:, 0]) > 0)
    assert sampled(values, 100, 0) is values
