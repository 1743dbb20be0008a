"""Segment ids are given, not inherited from KMeans: a segment that goes on keeps its id and name over a retrain."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from models.model import SegmentationModel

SAME = 0.3  # Jaccard overlap from which a segment counts as the same one


@dataclass(frozen=True, slots=True)
class Identity:
    """The id of each new cluster, the names that go on with their ids (by cluster index), and the next free id."""

    ids: tuple[int, ...]
    names: dict[int, str]
    next_id: int


def identify(
    labels: NDArray[np.intp],
    worth: Sequence[float],
    previous: SegmentationModel | None,
    before: NDArray[np.int64] | None,
    first_free: int,
) -> Identity:
    """Match k new clusters to the segments of the model before; `worth` says how much each is worth.

    `labels` and `before` say for the same n customers which cluster and which previous segment id they are in;
    the customers themselves are the common space, so the models may use different features. Clusters are matched
    one to one so that the overlap (Jaccard) is largest in sum; under SAME a cluster is new. Ids are never reused:
    new ones start at `first_free`, behind the largest any published model has given, and go to the most worth first.
    """
    k = len(worth)
    best_first = sorted(range(k), key=lambda index: (-worth[index], index))
    if previous is None or before is None:
        rank = {index: place for place, index in enumerate(best_first, 1)}
        return Identity(tuple(rank[index] for index in range(k)), {}, k + 1)
    old = [segment.id for segment in previous.segments]
    overlap = np.array([[_jaccard(labels == new, before == one) for one in old] for new in range(k)])
    kept = {
        int(new): old[index]
        for new, index in zip(*linear_sum_assignment(-overlap), strict=True)
        if overlap[new, index] >= SAME
    }
    next_id = first_free
    for new in best_first:
        if new not in kept:
            kept[new], next_id = next_id, next_id + 1
    ids = [kept[new] for new in range(k)]
    names = {new: previous.segment(kept_id).name for new, kept_id in enumerate(ids) if kept_id in old}
    return Identity(tuple(ids), names, next_id)


def _jaccard(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    either = int(np.count_nonzero(one | other))
    return int(np.count_nonzero(one & other)) / either if either else 0.0
