"""How many segments: candidates are compared by stability, separation and smallest share, and one is chosen."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, davies_bouldin_score, silhouette_score

from models.evidence import Candidate, Selection
from training.errors import TooFewCustomers

Values = NDArray[np.float64]

STABLE = 0.85
SMALLEST_SHARE = 0.03
WITHIN = 0.80  # of the best silhouette, and its inverse for Davies-Bouldin
BOOTSTRAPS = 20
SILHOUETTE_SAMPLE = 5_000
RULE = (
    f"A candidate needs a mean adjusted Rand index of at least {STABLE:g} over {BOOTSTRAPS} bootstrap refits, "
    f"no segment under {SMALLEST_SHARE:.0%}, and a silhouette and a Davies-Bouldin index within {1 - WITHIN:.0%} of "
    "the best such candidate's. Of those the one with most segments is taken: each further segment that is stable "
    "and separate is one more group to act on. Where none is that stable, the most stable one is taken."
)


def select(points: Values, ks: Sequence[int], seed: int, progress: Callable[[str], None]) -> Selection:
    """Compare k-means with each k on the scaled points (n × d) and choose one by RULE.

    Stability is the mean adjusted Rand index (Hubert & Arabie 1985) between the segments of all points and those
    of refits on bootstrap resamples (Hennig 2007). Raises TooFewCustomers where no k fits the points.
    """
    distinct = len(np.unique(points, axis=0))
    possible = [k for k in ks if k < distinct]
    if not possible:
        raise TooFewCustomers(
            f"{len(points)} customers with {distinct} different feature values cannot make {min(ks)} segments; "
            "give more customers, or a smaller --segments"
        )
    measured = []
    for k in possible:
        progress(f"trying {k} segments")
        measured.append(_measure(points, k, seed))
    return _choose(measured)


def _measure(points: Values, k: int, seed: int) -> Candidate:
    whole = KMeans(k, n_init=10, random_state=seed).fit(points)
    smallest = min(np.bincount(whole.labels_, minlength=k).tolist())
    sample = min(len(points), SILHOUETTE_SAMPLE)
    silhouette = silhouette_score(points, whole.labels_, sample_size=sample, random_state=seed)
    return Candidate(
        k=k,
        stability=round(_stability(points, whole, seed), 4),
        silhouette=round(float(silhouette), 4),
        davies_bouldin=round(float(davies_bouldin_score(points, whole.labels_)), 4),
        smallest_share=round(smallest / len(points), 4),
        inertia=round(float(whole.inertia_), 4),
        excluded=None,
    )


def _stability(points: Values, whole: KMeans, seed: int) -> float:
    k, n = whole.n_clusters, len(points)
    agreement = []
    for stream in np.random.SeedSequence([seed, k]).spawn(BOOTSTRAPS):
        random = np.random.default_rng(stream)
        resample = points[random.integers(0, n, n)]
        refit = KMeans(k, n_init=3, random_state=int(random.integers(2**31))).fit(resample)
        agreement.append(adjusted_rand_score(whole.labels_, refit.predict(points)))
    return float(np.mean(agreement))


def _choose(measured: Sequence[Candidate]) -> Selection:
    stable = [one for one in measured if _flaw(one) is None]
    silhouette = max((one.silhouette for one in stable), default=0.0)
    davies_bouldin = min((one.davies_bouldin for one in stable), default=0.0)
    excluded = {one.k: _flaw(one) or _blur(one, silhouette, davies_bouldin) for one in measured}
    good = [one for one in measured if excluded[one.k] is None]
    if good:
        chosen = max(good, key=lambda one: one.k)
        why = "is the most segments that are stable and separate"
    else:
        chosen = max(measured, key=lambda one: (one.smallest_share >= SMALLEST_SHARE, one.stability))
        why = "is the most stable, though none meets the rule"
    reason = (
        f"{chosen.k} segments {why}: stability {chosen.stability:.2f}, silhouette {chosen.silhouette:.2f}, "
        f"Davies-Bouldin {chosen.davies_bouldin:.2f}, smallest share {chosen.smallest_share:.1%}."
    )
    return Selection(
        rule=RULE,
        reason=reason,
        chosen=chosen.k,
        candidates=tuple(one.model_copy(update={"excluded": excluded[one.k]}) for one in measured),
    )


def _flaw(one: Candidate) -> str | None:
    if one.smallest_share < SMALLEST_SHARE:
        return f"smallest share {one.smallest_share:.1%} is under {SMALLEST_SHARE:.0%}"
    if one.stability < STABLE:
        return f"stability {one.stability:.2f} is under {STABLE:g}"
    return None


def _blur(one: Candidate, silhouette: float, davies_bouldin: float) -> str | None:
    if one.silhouette < WITHIN * silhouette:
        return f"silhouette {one.silhouette:.2f} is under {WITHIN:.0%} of the best, {silhouette:.2f}"
    if one.davies_bouldin > davies_bouldin / WITHIN:
        return f"Davies-Bouldin {one.davies_bouldin:.2f} is over {1 / WITHIN:.0%} of the best, {davies_bouldin:.2f}"
    return None
