"""How customers become points to cluster: which features, transformed how, and along which axis, if any."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

from models.axis import Axis, parts_along
from models.scorer_arrays import Membership, ScorerArrays

Values = NDArray[np.float64]

TRANSFORMS: Mapping[str, Any] = {"log1p": np.log1p, "identity": None}
STARTS = 10  # of k-means, where it starts at random
# Along an axis k-means starts from groups of fixed shares of the customers, each this much of the one before it, the
# least valuable the largest, and takes one step. A share's bound is known far more exactly than the best centres are
# (measured on four shops, 7 segments: adjusted Rand index over bootstrap refits 0.92 to 0.97 instead of 0.71 to 0.94,
# with about the same R² of later revenue). Seven such groups leave the smallest 3 % of customers.
NEXT_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Recipe:
    """`axis` holds the weights of the features and their products, in the order of scikit-learn's PolynomialFeatures.

    Beyond the `tails` of the training customers' values a value is clipped, so that one wholesaler draws no centre.
    """

    name: str
    features: tuple[str, ...]
    transform: str
    tails: float
    axis: tuple[float, ...] | None = None


def prepared(recipe: Recipe, values: Values) -> Pipeline:
    """The fitted steps before clustering, for values of shape (n, d). A log needs values above -1: clipped at zero."""
    steps = scaling(recipe.transform, recipe.tails, values)
    if recipe.axis is not None:
        products = PolynomialFeatures(2, include_bias=False)
        weights = np.array(recipe.axis)[:, None]
        # in units of its standard deviation: distances along it are then comparable over models
        along = products.fit_transform(steps.transform(values)) @ weights
        weights = weights / max(float(np.std(along)), 1e-12)
        steps = Pipeline(
            [*steps.steps, ("products", products), ("axis", FunctionTransformer(np.dot, kw_args={"b": weights}))]
        )
        steps.fit(values)
    return steps


def recipe_of(arrays: ScorerArrays, name: str, tails: float) -> Recipe:
    """The recipe a published scorer was made by."""
    if arrays.axis is None:
        return Recipe(name, arrays.features, arrays.transform, tails)
    products = np.array(arrays.axis.products)
    first, second = np.triu_indices(len(arrays.features))
    pairs = np.where(first == second, 1.0, 2.0) * products[first, second]
    return Recipe(name, arrays.features, arrays.transform, tails, (*arrays.axis.linear, *pairs.tolist()))


def scaling(transform: str, tails: float, values: Values) -> Pipeline:
    """Clip, transform and scale, fitted to values of shape (n, d)."""
    lower, upper = np.quantile(values, (tails, 1.0 - tails), axis=0)
    if transform == "log1p":
        lower, upper = np.maximum(lower, 0.0), np.maximum(upper, 0.0)
    return Pipeline(
        [
            ("clip", FunctionTransformer(np.clip, kw_args={"a_min": lower, "a_max": upper})),
            ("transform", FunctionTransformer(TRANSFORMS[transform])),
            ("scale", StandardScaler()),
        ]
    ).fit(values)


def cluster(recipe: Recipe, points: Values, k: int, seed: int, starts: int = STARTS) -> KMeans:
    """k-means fitted to the prepared points: from fixed shares along an axis, else from random starts."""
    if recipe.axis is None:
        return KMeans(k, n_init=starts, random_state=seed).fit(points)
    return KMeans(k, init=_first_centres(points, k), n_init=1, max_iter=1, random_state=seed).fit(points)


def fit_recipe(recipe: Recipe, values: Values, k: int, seed: int, starts: int = STARTS) -> Pipeline:
    """The whole pipeline for k segments, fitted to values of shape (n, d)."""
    steps = prepared(recipe, values)
    return Pipeline([*steps.steps, ("cluster", cluster(recipe, steps.transform(values), k, seed, starts))])


def points_of(pipeline: Pipeline, values: Values) -> Values:
    """The values in the space KMeans sees."""
    return np.asarray(pipeline[:-1].transform(values), dtype=np.float64)


def arrays_of(
    pipeline: Pipeline, recipe: Recipe, segment_ids: tuple[int, ...], membership: Membership, values: Values
) -> ScorerArrays:
    """What a fitted pipeline does, as arrays; `segment_ids` in the order of its clusters, `values` it was fitted to."""
    bounds = pipeline.named_steps["clip"].kw_args
    scale = pipeline.named_steps["scale"]
    return ScorerArrays(
        features=recipe.features,
        transform=recipe.transform,
        lower=tuple(bounds["a_min"].tolist()),
        upper=tuple(bounds["a_max"].tolist()),
        mean=tuple(scale.mean_.tolist()),
        scale=tuple(scale.scale_.tolist()),
        axis=None if recipe.axis is None else _axis_of(pipeline, values),
        centres=tuple(tuple(centre) for centre in pipeline.named_steps["cluster"].cluster_centers_.tolist()),
        segment_ids=segment_ids,
        membership=membership,
    )


def _axis_of(pipeline: Pipeline, values: Values) -> Axis:
    """The weights as a symmetric form, and the parts of each centre: its members' mean, made to add up to it."""
    weights = pipeline.named_steps["axis"].kw_args["b"][:, 0]
    d = values.shape[1]
    products = np.zeros((d, d))
    first, second = np.triu_indices(d)
    products[first, second] += weights[d:] / 2.0
    products[second, first] += weights[d:] / 2.0  # on the diagonal both: a square counts whole for its feature
    form = Axis(linear=tuple(weights[:d].tolist()), products=tuple(map(tuple, products.tolist())), middles=())
    parts = parts_along(pipeline[:3].transform(values), form)
    centres = pipeline.named_steps["cluster"].cluster_centers_[:, 0]
    labels = pipeline.named_steps["cluster"].predict(parts.sum(axis=1, keepdims=True))
    means = np.array([parts[labels == index].mean(axis=0) for index in range(len(centres))])
    means += ((centres - means.sum(axis=1)) / d)[:, None]
    return form.model_copy(update={"middles": tuple(map(tuple, means.tolist()))})


def _first_centres(points: Values, k: int) -> Values:
    """The means of k groups from the least to the most valuable, each NEXT_SHARE of the one before, shape (k, 1)."""
    shares = NEXT_SHARE ** np.arange(k)
    bounds = np.quantile(points[:, 0], np.cumsum(shares)[:-1] / shares.sum())
    group = np.searchsorted(bounds, points[:, 0], side="right")
    filled = [points[group == index].mean(axis=0) for index in range(k) if np.any(group == index)]
    if len(filled) < k:  # many customers are alike: quantiles fall together, and the distinct values are shared out
        distinct = np.unique(points[:, 0])
        filled = [part.mean(keepdims=True) for part in np.array_split(distinct, k)]
    return np.array(filled)
