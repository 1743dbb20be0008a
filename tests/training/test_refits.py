"""Refits on resamples: numbered alike, compared, and turned into memberships."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from training.refits import Refits, matched, mean_ari, numbering, resamples

Labels = NDArray[np.intp]
SEEDS = st.integers(0, 2**32 - 1)


def drawn(n: int, k: int, seed: int) -> Labels:
    return np.random.default_rng(seed).integers(0, k, n).astype(np.intp)


def noisy(labels: Labels, k: int, share: float, count: int, seed: int) -> Refits:
    """Refits that put this share of customers anywhere."""
    random = np.random.default_rng(seed)
    anywhere = random.integers(0, k, (count, len(labels)))
    placed = np.where(random.random((count, len(labels))) < share, anywhere, labels).astype(np.intp)
    return Refits(labels, placed, k)


@given(st.integers(2, 4), SEEDS)
def test_clusters_are_numbered_one_to_one_so_that_most_customers_stay(k: int, seed: int) -> None:
    labels, other = drawn(40, k, seed), drawn(40, k, seed + 1)
    number = numbering(labels, other, k)
    assert sorted(number.tolist()) == list(range(k))
    stay = int(np.count_nonzero(matched(labels, other, k) == labels))
    assert stay == max(int(np.count_nonzero(np.array(one)[other] == labels)) for one in permutations(range(k)))


@given(st.integers(2, 8), SEEDS)
def test_the_same_clusters_under_other_numbers_are_the_same(k: int, seed: int) -> None:
    labels = np.concatenate([np.arange(k), drawn(50, k, seed)]).astype(np.intp)
    renamed = np.random.default_rng(seed).permutation(k)[labels].astype(np.intp)
    assert np.array_equal(matched(labels, renamed, k), labels)


def test_refits_that_never_change_are_perfectly_stable() -> None:
    labels = drawn(200, 3, 1)

    def refit(rows: NDArray[np.int64], seed: int) -> Labels:
        return np.random.default_rng(seed).permutation(3)[labels].astype(np.intp)

    found = Refits.of(labels, 3, refit, 12, 0).stability((7, 8, 9), 0.97)
    assert (found.refits, found.ari.value, found.ari.low, found.ari.high) == (12, 1.0, 1.0, 1.0)
    assert found.jaccard == {7: 1.0, 8: 1.0, 9: 1.0}
    assert (found.weak, found.halves) == ((), 0.97)
    assert mean_ari(labels, refit, 5, 0) == 1.0


def test_a_segment_that_refits_do_not_find_again_is_weak() -> None:
    labels = np.repeat(np.arange(3), 100).astype(np.intp)
    random = np.random.default_rng(0)
    placed = np.array([np.where(labels == 0, 0, random.permutation(labels.clip(1)) * 1) for _ in range(20)])
    placed[:, :100] = 0
    found = Refits(labels, placed.astype(np.intp), 3).stability((1, 2, 3), None)
    assert found.jaccard[1] == 1.0
    assert set(found.weak) == {2, 3}
    assert found.ari.low <= found.ari.value <= found.ari.high < 1.0


def test_resamples_are_drawn_with_repeats_and_are_the_same_for_the_same_seed() -> None:
    first, again, other = resamples(50, 3, 1), resamples(50, 3, 1), resamples(50, 3, 2)
    assert all(np.array_equal(a, b) and one == two for (a, one), (b, two) in zip(first, again, strict=True))
    assert not np.array_equal(first[0][0], other[0][0])
    assert not np.array_equal(first[0][0], first[1][0])
    assert all(len(rows) == 50 and len(np.unique(rows)) < 50 for rows, _ in first)


@given(
    st.integers(2, 5),
    st.integers(1, 120),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.sampled_from([0, 1, 9]),
    SEEDS,
)
def test_memberships_grow_with_the_distance_and_are_shares(
    k: int, n: int, share: float, decimals: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    labels = drawn(n, k, seed)
    border = np.round(random.gamma(1, 1, n), decimals)  # with ties
    curve = noisy(labels, k, share, 10, seed).membership(border, drawn(n, k, seed + 1))
    assert len(curve.distance) <= 26
    assert (curve.distance[0], curve.kept[0] <= 0.5) == (0.0, True)  # on the border itself
    assert list(curve.kept) == sorted(curve.kept)
    assert all(0.0 <= one <= 1.0 for one in (*curve.kept, curve.to_runner_up))
    if not share:
        assert set(curve.kept[1:]) <= {1.0}


def test_of_those_who_leave_the_share_that_goes_to_the_next_segment_is_counted() -> None:
    labels = np.zeros(10, dtype=np.intp)
    placed = np.zeros((2, 10), dtype=np.intp)
    placed[0, :4], placed[1, :1] = 1, 2
    curve = Refits(labels, placed, 3).membership(np.arange(10.0), np.ones(10, dtype=np.intp))
    assert curve.to_runner_up == pytest.approx(4 / 5)


def test_calibration_puts_everyone_into_one_bin() -> None:
    refits = noisy(drawn(237, 3, 0), 3, 0.4, 20, 0)
    bins = refits.calibration(np.random.default_rng(0).random(237))
    assert sum(one.customers for one in bins) == 237
    assert len(bins) == 10
    assert sum(one.kept * one.customers for one in bins) / 237 == pytest.approx(float(refits.kept.mean()), abs=1e-3)
    assert [one.said for one in bins] == sorted(one.said for one in bins)
