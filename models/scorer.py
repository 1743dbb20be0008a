"""The fitted pipeline as arrays: clip, transform, scale, nearest centre. One customer or millions, the same answer.

It must equal `pipeline.predict`; `models.proof` checks that before a version is served.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

Values = NDArray[np.float64]

TRANSFORMS: Mapping[str, tuple[Callable[[float], float], Callable[[Values], Values]]] = {
    "log1p": (math.log1p, np.log1p),
    "identity": (float, lambda values: values),
}


class ScorerArrays(BaseModel):
    """What a scorer is made of, as stored in the artifact: d features, k segments.

    `lower`, `upper`, `mean`, `scale` have d entries; `centres` is k × d in the scaled space; `segment_ids` has
    the id of each centre's segment. A value is clipped to [lower, upper], transformed, less the mean, over the scale.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    features: tuple[str, ...]
    transform: str
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    centres: tuple[tuple[float, ...], ...]
    segment_ids: tuple[int, ...]

    @model_validator(mode="after")
    def _shapes_agree(self) -> "ScorerArrays":
        d, k = len(self.features), len(self.centres)
        per_feature = (self.lower, self.upper, self.mean, self.scale, *self.centres)
        if d == 0 or k < 2 or any(len(row) != d for row in per_feature):
            raise ValueError(f"the arrays do not fit {d} features and {k} centres")
        if len(set(self.segment_ids)) != k:
            raise ValueError(f"{k} centres need {k} different segment ids")
        if self.transform not in TRANSFORMS:
            raise ValueError(f"the transform {self.transform!r} is not one of {', '.join(TRANSFORMS)}")
        if min(self.scale) <= 0 or any(low > high for low, high in zip(self.lower, self.upper, strict=True)):
            raise ValueError("a scale is not positive, or a lower bound is above its upper bound")
        return self


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one customer lies: indices of the nearest and second nearest centre, and how clearly.

    `contributions[f]` is by how much feature f makes the nearest centre nearer than the second, in squared
    scaled distance; they add up to `margin`, the difference of the two squared distances.
    """

    nearest: int
    second: int
    confidence: float
    contributions: tuple[float, ...]

    @property
    def margin(self) -> float:
        return sum(self.contributions)


@dataclass(frozen=True, slots=True)
class Placements:
    """The same for n customers; every array has shape (n,), `contributions` (n, d)."""

    nearest: NDArray[np.intp]
    second: NDArray[np.intp]
    confidence: Values
    contributions: Values


def confidence(nearest: float, second: float) -> float:
    """How clearly a customer belongs, from the distances to the two nearest centres: second / (nearest + second).

    0.5 on the border between two segments, 1 on the centre; 0.8 means four times nearer to this centre than to
    the next.
    """
    return second / (nearest + second) if second else 0.5


@dataclass(frozen=True)
class Scorer:
    """Scores feature values, in the order of `arrays.features`."""

    arrays: ScorerArrays
    _one: Callable[[float], float] = field(init=False, repr=False)
    _many: Callable[[Values], Values] = field(init=False, repr=False)
    _bounds: tuple[tuple[float, float, float, float], ...] = field(init=False, repr=False)
    _mean: Values = field(init=False, repr=False)
    _scale: Values = field(init=False, repr=False)
    _centres: Values = field(init=False, repr=False)

    def __post_init__(self) -> None:
        arrays = self.arrays
        one, many = TRANSFORMS[arrays.transform]
        bounds = tuple(zip(arrays.lower, arrays.upper, arrays.mean, arrays.scale, strict=True))
        for name, value in (
            ("_one", one),
            ("_many", many),
            ("_bounds", bounds),
            ("_mean", np.array(arrays.mean)),
            ("_scale", np.array(arrays.scale)),
            ("_centres", np.array(arrays.centres)),
        ):
            object.__setattr__(self, name, value)

    @property
    def features(self) -> tuple[str, ...]:
        return self.arrays.features

    def place(self, values: Sequence[float]) -> Placement:
        """One customer, in plain arithmetic: a few microseconds, where array calls would cost ten times that."""
        transform = self._one
        point = [
            (transform(low if value < low else high if value > high else value) - mean) / scale
            for value, (low, high, mean, scale) in zip(values, self._bounds, strict=True)
        ]
        best = second = -1
        best_square = second_square = math.inf
        for index, centre in enumerate(self.arrays.centres):
            square = 0.0
            for at, middle in zip(point, centre, strict=True):
                square += (at - middle) * (at - middle)
            if square < best_square:
                second, second_square = best, best_square
                best, best_square = index, square
            elif square < second_square:
                second, second_square = index, square
        near, far = self.arrays.centres[best], self.arrays.centres[second]
        contributions = tuple(
            (at - b) * (at - b) - (at - a) * (at - a) for at, a, b in zip(point, near, far, strict=True)
        )
        return Placement(best, second, confidence(math.sqrt(best_square), math.sqrt(second_square)), contributions)

    def scaled(self, values: Values) -> Values:
        """The (n, d) values in the space the centres live in."""
        clipped = np.clip(values, self.arrays.lower, self.arrays.upper)
        return (self._many(clipped) - self._mean) / self._scale

    def place_many(self, values: Values) -> Placements:
        """n customers at once; `values` has shape (n, d)."""
        points = self.scaled(np.asarray(values, dtype=np.float64).reshape(-1, len(self.features)))
        squares = np.empty((len(points), len(self._centres)))
        for index, centre in enumerate(self._centres):  # k is small; an (n, k, d) array is not
            squares[:, index] = np.square(points - centre).sum(axis=1)
        rows = np.arange(len(points))
        nearest = squares.argmin(axis=1)
        best = np.sqrt(squares[rows, nearest])
        squares[rows, nearest] = np.inf
        second = squares.argmin(axis=1)
        beyond = np.sqrt(squares[rows, second])
        total = best + beyond
        sure = np.divide(beyond, total, out=np.full(len(points), 0.5), where=total > 0)
        contributions = np.square(points - self._centres[second]) - np.square(points - self._centres[nearest])
        return Placements(nearest, second, sure, contributions)
