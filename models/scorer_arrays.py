"""What a scorer is made of, as stored in the artifact."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from models.axis import Axis

Values = NDArray[np.float64]

TRANSFORMS: Mapping[str, tuple[Callable[[float], float], Callable[[Values], Values]]] = {
    "log1p": (math.log1p, np.log1p),
    "identity": (float, lambda values: values),
}


class Membership(BaseModel):
    """How sure a place is: `kept` of the customers at `distance` from the border to the next segment stay where they
    are in a refit on a bootstrap resample, between the given distances in proportion. Of those who leave, the share
    `to_runner_up` goes to the next segment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    distance: tuple[float, ...]
    kept: tuple[float, ...]
    to_runner_up: float

    @model_validator(mode="after")
    def _is_a_curve(self) -> "Membership":
        if len(self.distance) != len(self.kept) or not self.kept:
            raise ValueError("a membership curve needs as many shares as distances")
        if any(one >= other for one, other in zip(self.distance, self.distance[1:], strict=False)):
            raise ValueError("the distances of a membership curve must grow")
        if not all(0.0 <= share <= 1.0 for share in (*self.kept, self.to_runner_up)):
            raise ValueError("a share of a membership curve is not between 0 and 1")
        return self


class ScorerArrays(BaseModel):
    """What a scorer is made of, as stored in the artifact: d features, k segments.

    `lower`, `upper`, `mean`, `scale` have d entries. A value is clipped to [lower, upper], transformed, less the mean,
    over the scale. `centres` is k × d in that scaled space or, with an `axis`, k × 1 along it; `segment_ids` has the
    id of each centre's segment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    features: tuple[str, ...]
    transform: str
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    axis: Axis | None = None
    centres: tuple[tuple[float, ...], ...]
    segment_ids: tuple[int, ...]
    membership: Membership

    @model_validator(mode="after")
    def _shapes_agree(self) -> "ScorerArrays":
        d, k = len(self.features), len(self.centres)
        wide: tuple[tuple[float, ...], ...] = (self.lower, self.upper, self.mean, self.scale)
        if self.axis is not None:
            wide = (*wide, self.axis.linear, *self.axis.products, *self.axis.middles)
            if len(self.axis.products) != d or len(self.axis.middles) != k:
                raise ValueError(f"the axis does not fit {d} features and {k} centres")
        across = d if self.axis is None else 1
        if d == 0 or k < 2 or any(len(row) != d for row in wide) or any(len(row) != across for row in self.centres):
            raise ValueError(f"the arrays do not fit {d} features and {k} centres")
        if len(set(self.segment_ids)) != k:
            raise ValueError(f"{k} centres need {k} different segment ids")
        if len(set(self.centres)) != k:
            raise ValueError("two centres are the same")
        if self.transform not in TRANSFORMS:
            raise ValueError(f"the transform {self.transform!r} is not one of {', '.join(TRANSFORMS)}")
        if min(self.scale) <= 0 or any(low > high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ValueError("a scale is not positive, or a lower bound is above its upper bound")
        return self
