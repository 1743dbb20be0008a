"""How many segments are chosen, and why."""

import numpy as np
import pytest

from training.errors import TooFewCustomers
from training.selection import select


def blobs(k: int, per_blob: int = 150, spread: float = 0.15) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """k well-separated groups on a circle."""
    random = np.random.default_rng(3)
    angles = 2 * np.pi * np.arange(k) / k
    centres = 3 * np.column_stack([np.cos(angles), np.sin(angles)])
    return np.concatenate([centre + spread * random.standard_normal((per_blob, 2)) for centre in centres])


def quiet(_: str) -> None:
    """Nobody watches."""


@pytest.mark.parametrize("k", [4, 5, 6])
def test_groups_that_are_really_there_are_found(k: int) -> None:
    found = select(blobs(k), range(3, 9), 0, quiet)
    assert found.chosen == k
    assert [one.k for one in found.candidates] == [3, 4, 5, 6, 7, 8]


def test_every_candidate_that_was_not_good_enough_says_why() -> None:
    found = select(blobs(4), range(3, 9), 0, quiet)
    for one in found.candidates:
        assert (one.excluded is None) == (one.k in {4}), one
    assert str(found.chosen) in found.reason
    assert "adjusted Rand index" in found.rule


def test_the_same_seed_selects_the_same_with_the_same_figures() -> None:
    assert select(blobs(4), range(3, 6), 5, quiet) == select(blobs(4), range(3, 6), 5, quiet)


def test_noise_without_groups_is_still_segmented_and_said_to_be_unstable() -> None:
    random = np.random.default_rng(0)
    found = select(random.standard_normal((400, 3)), range(6, 9), 0, quiet)
    assert all(one.excluded for one in found.candidates)
    assert "though none meets the rule" in found.reason


def test_too_few_different_customers_are_refused_with_a_sentence() -> None:
    with pytest.raises(TooFewCustomers, match="3 different feature values cannot make 4 segments"):
        select(np.repeat(np.eye(3), 50, axis=0), range(4, 9), 0, quiet)
