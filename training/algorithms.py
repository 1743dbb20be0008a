"""Other algorithms that can place a new customer, beside k-means: measured alike, to be looked at, not chosen from."""

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering, BisectingKMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import davies_bouldin_score, pairwise_distances_argmin, silhouette_score
from sklearn.mixture import GaussianMixture

from models.evidence import Candidate
from training.backtest import Trial
from training.options import Option
from training.recipe import prepared
from training.refits import mean_ari

Values = NDArray[np.float64]
Labels = NDArray[np.intp]
Place = Callable[[Values], Labels]
REFITS = 5
SAMPLE = 3_000
WARD_SAMPLE = 1_500  # its tree needs the distances of all pairs


def _mixture(points: Values, k: int, seed: int) -> Place:
    fitted = GaussianMixture(k, random_state=seed).fit(points)
    return lambda some: np.asarray(fitted.predict(some), dtype=np.intp)


def _bisecting(points: Values, k: int, seed: int) -> Place:
    fitted = BisectingKMeans(k, n_init=3, random_state=seed).fit(points)
    return lambda some: np.asarray(fitted.predict(some), dtype=np.intp)


def _mini_batch(points: Values, k: int, seed: int) -> Place:
    fitted = MiniBatchKMeans(k, n_init=3, random_state=seed).fit(points)
    return lambda some: np.asarray(fitted.predict(some), dtype=np.intp)


def _ward(points: Values, k: int, seed: int) -> Place:
    some = _sample(points, WARD_SAMPLE, seed)
    labels = AgglomerativeClustering(k).fit(some).labels_
    centres = np.array([some[labels == index].mean(axis=0) for index in range(k)])
    return lambda others: np.asarray(pairwise_distances_argmin(others, centres), dtype=np.intp)


ALGORITHMS: Mapping[str, Callable[[Values, int, int], Place]] = {
    "Gaussian mixture": _mixture,
    "bisecting k-means": _bisecting,
    "mini-batch k-means": _mini_batch,
    "Ward's hierarchy as centroids": _ward,
}


def compare(options: Sequence[Option], k: int, trial: Trial | None, seed: int) -> tuple[Candidate, ...]:
    """Every algorithm on the points of every option, with k segments."""
    found = []
    for option in options:
        points = prepared(option.recipe, option.values).transform(option.values)
        sample = _sample(points, SAMPLE, seed)
        for name, algorithm in ALGORITHMS.items():
            with warnings.catch_warnings():
                # whether it settled is nothing to warn of: how it does is what is measured
                warnings.simplefilter("ignore", ConvergenceWarning)
                found.append(_measure(option, name, algorithm, sample, k, trial, seed))
    return tuple(found)


def _measure(
    option: Option, name: str, algorithm: Callable[[Values, int, int], Place], points: Values, k: int,
    trial: Trial | None, seed: int,
) -> Candidate:  # fmt: skip
    labels = algorithm(points, k, seed)(points)
    several = len(np.unique(labels)) > 1
    auc = r_squared = kendall = None
    if trial is not None and option.then is not None:
        customers = trial.snapshot.customers.matrix(option.then.features)
        then = prepared(option.then, customers).transform(customers)
        labels_then = algorithm(_sample(then, SAMPLE, seed), k, seed)(then)
        foretold = trial.by_segments(labels_then)
        auc, r_squared = round(trial.auc(foretold), 4), round(trial.r_squared(foretold), 4)
        kendall = trial.kendall(labels_then)

    def refit(rows: NDArray[np.int64], own: int) -> Labels:
        return algorithm(points[rows], k, own)(points)

    return Candidate(
        name=option.name,
        features=option.recipe.features,
        transform=option.recipe.transform,
        algorithm=name,
        k=k,
        auc=auc,
        r_squared=r_squared,
        kendall=kendall,
        stability=round(mean_ari(labels, refit, REFITS, seed), 4),
        silhouette=round(float(silhouette_score(points, labels, sample_size=len(points), random_state=seed)), 4)
        if several
        else 0.0,
        davies_bouldin=round(float(davies_bouldin_score(points, labels)), 4) if several else 0.0,
        smallest_share=round(int(np.min(np.bincount(labels, minlength=k))) / len(labels), 4),
        excluded=None,
    )


def _sample(points: Values, most: int, seed: int) -> Values:
    if len(points) <= most:
        return points
    return points[np.sort(np.random.default_rng(seed).choice(len(points), most, replace=False))]
