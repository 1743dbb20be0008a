"""Ids that segments keep over a retrain."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.model import SegmentationModel
from training.identity import Identity, identify

Labels = NDArray[np.intp]


def onto(model: SegmentationModel, labels: Labels, before: Labels, first_free: int) -> Identity:
    """Clusters of equal worth onto the model's segments, by their place among its ids."""
    ids = np.array([one.id for one in model.segments], dtype=np.int64)[before]
    return identify(labels, [0.0] * (int(np.max(labels)) + 1), model, ids, first_free)


def drawn(k: int, seed: int, n: int = 300) -> Labels:
    return np.concatenate([np.arange(k), np.random.default_rng(seed).integers(0, k, n)]).astype(np.intp)


def test_the_first_ids_go_to_the_most_worth() -> None:
    found = identify(np.array([0, 1, 2]), [5.0, 90.0, 7.0], None, None, 1)
    assert (found.ids, found.names, found.next_id) == ((3, 1, 2), {}, 4)


@given(st.integers(0, 2**32 - 1))
def test_a_segment_keeps_its_id_and_name_whatever_its_cluster_is_numbered(model: SegmentationModel, seed: int) -> None:
    k = len(model.segments)
    before, order = drawn(k, seed), np.random.default_rng(seed).permutation(k)
    found = onto(model, order[before].astype(np.intp), before, 20)
    for place, segment in enumerate(model.segments):
        assert found.ids[int(order[place])] == segment.id
        assert found.names[int(order[place])] == segment.name
    assert found.next_id == 20


@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_ids_are_never_given_twice_and_new_ones_are_beyond_all_that_were_given(
    model: SegmentationModel, k: int, seed: int
) -> None:
    before = drawn(len(model.segments), seed)
    found = onto(model, drawn(k, seed + 1, len(before) - k), before, 30)
    old = {one.id for one in model.segments}
    assert len(set(found.ids)) == k
    assert all(one in old or 30 <= one < found.next_id for one in found.ids)
    assert set(found.names) == {index for index, one in enumerate(found.ids) if one in old}


def test_a_segment_that_hardly_overlaps_with_any_is_a_new_one(model: SegmentationModel) -> None:
    before = np.zeros(100, dtype=np.intp)
    before[:28] = 1
    labels = np.where(np.arange(100) < 90, 0, 1).astype(np.intp)
    found = onto(model, labels, before, 12)
    first, second = model.segments[0].id, model.segments[1].id
    assert found.ids[0] == first  # 62 of 100 customers
    assert found.ids[1] == 12  # 10 of 72
    assert second not in found.ids
