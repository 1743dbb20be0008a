"""What the members of each segment did in the days after a cut-off, with intervals."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.evidence import Estimate
from models.outcome import Outcome
from training.history import Snapshot

Values = NDArray[np.float64]
Labels = NDArray[np.intp]
RESAMPLES = 1_000
ROOM = 2_000_000  # draws held at a time


def outcomes(
    snapshot: Snapshot, labels: Labels, segment_ids: Sequence[int], horizon: int, beyond_chance: bool, seed: int
) -> dict[int, Outcome]:
    """The outcome by segment id; `labels` index `segment_ids`. A segment nobody was in has none."""
    there = [index for index in range(len(segment_ids)) if np.any(labels == index)]
    worth = {index: float(snapshot.revenue[labels == index].mean()) for index in there}
    ranked = sorted(there, key=lambda index: -worth[index])
    everyone = float(snapshot.bought.mean())
    found = {}
    for index in there:
        inside = labels == index
        bought = _mean(snapshot.bought[inside].astype(np.float64), seed, 4)
        said = (
            f"{bought.value:.0%} ({bought.low:.0%} to {bought.high:.0%}) bought again within {horizon} days, of all "
            f"customers {everyone:.0%}"
        )
        found[int(segment_ids[index])] = Outcome(
            cut_off=snapshot.at,
            horizon=horizon,
            customers=int(np.count_nonzero(inside)),
            bought_again=bought,
            revenue_per_customer=_mean(snapshot.revenue[inside], seed, 2),
            rank=ranked.index(index) + 1,
            says=f"{said}." if beyond_chance else f"{said}: the segments predict nothing beyond chance.",
        )
    return found


def _mean(values: Values, seed: int, decimals: int) -> Estimate:
    """The mean with its bootstrap percentile interval (Efron 1979)."""
    random = np.random.default_rng(seed)
    at_once = max(1, ROOM // len(values))
    means = np.concatenate(
        [
            values[random.integers(0, len(values), (min(at_once, RESAMPLES - start), len(values)))].mean(axis=1)
            for start in range(0, RESAMPLES, at_once)
        ]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(
        value=round(float(values.mean()), decimals), low=round(float(low), decimals), high=round(float(high), decimals)
    )
