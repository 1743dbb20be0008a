"""The scikit-learn pipeline: clip, transform, scale, KMeans; and the arrays a scorer needs, read from it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from models.scorer import ScorerArrays

Values = NDArray[np.float64]

# Beyond these shares of the training customers a value is clipped, so that one wholesaler draws no centre to itself.
TAILS = (0.001, 0.999)
TRANSFORMS: Mapping[str, Any] = {"log1p": np.log1p, "identity": None}


def build(transform: str, values: Values, k: int, seed: int, starts: int = 10) -> Pipeline:
    """An unfitted pipeline for values of shape (n, d). A log needs values above -1, so it clips at zero."""
    lower, upper = np.quantile(values, TAILS, axis=0)
    if transform == "log1p":
        lower, upper = np.maximum(lower, 0.0), np.maximum(upper, 0.0)
    return Pipeline(
        [
            ("clip", FunctionTransformer(np.clip, kw_args={"a_min": lower, "a_max": upper})),
            ("transform", FunctionTransformer(TRANSFORMS[transform])),
            ("scale", StandardScaler()),
            ("cluster", KMeans(n_clusters=k, n_init=starts, random_state=seed)),
        ]
    )


def scaled(pipeline: Pipeline, values: Values) -> Values:
    """The values in the space KMeans sees."""
    return np.asarray(pipeline[:-1].transform(values), dtype=np.float64)


def arrays_of(pipeline: Pipeline, transform: str, features: Sequence[str], segment_ids: Sequence[int]) -> ScorerArrays:
    """What a fitted pipeline does, as arrays; `segment_ids` in the order of its clusters."""
    bounds = pipeline.named_steps["clip"].kw_args
    scale = pipeline.named_steps["scale"]
    return ScorerArrays(
        features=tuple(features),
        transform=transform,
        lower=tuple(bounds["a_min"].tolist()),
        upper=tuple(bounds["a_max"].tolist()),
        mean=tuple(scale.mean_.tolist()),
        scale=tuple(scale.scale_.tolist()),
        centres=tuple(tuple(centre) for centre in pipeline.named_steps["cluster"].cluster_centers_.tolist()),
        segment_ids=tuple(segment_ids),
    )
