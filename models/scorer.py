"""The fitted pipeline as arrays: clip, transform, scale, nearest centre. One customer or millions, the same answer.

It must equal `pipeline.predict`; `models.proof` checks that before a version is served.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from models.axis import Axis, Line, Start, parts_along

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


class Placement(NamedTuple):
    """Where one customer lies: indices of the nearest and second nearest centre, and how surely.

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
    """The same for n customers; every array has shape (n,), `contributions` (n, d).

    `border` is the distance to the plane halfway between the two nearest centres.
    """

    nearest: NDArray[np.intp]
    second: NDArray[np.intp]
    border: Values
    confidence: Values
    contributions: Values


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
    _apart: tuple[tuple[float, ...], ...] = field(init=False, repr=False)
    line: Line | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        arrays = self.arrays
        one, many = TRANSFORMS[arrays.transform]
        centres = np.array(arrays.centres)
        apart = np.sqrt(np.square(centres[:, None, :] - centres[None, :, :]).sum(axis=2))
        bounds = tuple(zip(arrays.lower, arrays.upper, arrays.mean, arrays.scale, strict=True))
        for name, value in (
            ("_one", one),
            ("_many", many),
            ("_bounds", bounds),
            ("_mean", np.array(arrays.mean)),
            ("_scale", np.array(arrays.scale)),
            ("_centres", centres),
            ("_apart", tuple(tuple(row) for row in apart.tolist())),
            ("line", Line(arrays.axis, arrays.centres, bounds, one) if arrays.axis is not None else None),
        ):
            object.__setattr__(self, name, value)

    @property
    def features(self) -> tuple[str, ...]:
        return self.arrays.features

    def place(self, values: Sequence[float]) -> Placement:
        """One customer, in plain arithmetic: a few microseconds, where array calls would cost ten times that."""
        if self.line is not None:
            return self._place_along(self.line.start(values), self.line)
        transform = self._one
        scaled = [
            (transform(low if value < low else high if value > high else value) - mean) / scale
            for value, (low, high, mean, scale) in zip(values, self._bounds, strict=True)
        ]
        best = second = -1
        best_square = second_square = math.inf
        for index, centre in enumerate(self.arrays.centres):
            square = 0.0
            for at, middle in zip(scaled, centre, strict=True):
                square += (at - middle) * (at - middle)
            if square < best_square:
                second, second_square = best, best_square
                best, best_square = index, square
            elif square < second_square:
                second, second_square = index, square
        border = (second_square - best_square) / (2.0 * self._apart[best][second])
        return Placement(best, second, self._confidence(border), self._contributions(scaled, best, second))

    def _place_along(self, start: Start, line: Line) -> Placement:
        best, second = line.nearest_two(start.place)
        step, border = line.steps[best][second], line.borders[best][second]
        contributions = tuple(
            [step * (part - middle) for part, middle in zip(start.parts, line.halfway[best][second], strict=True)]
        )
        return Placement(best, second, self._confidence(abs(start.place - border)), contributions)

    def scaled(self, values: Values) -> Values:
        """The (n, d) values clipped, transformed and scaled."""
        clipped = np.clip(values, self.arrays.lower, self.arrays.upper)
        return (self._many(clipped) - self._mean) / self._scale

    def points(self, values: Values) -> Values:
        """The (n, d) values in the space the centres live in: (n, d) or, along an axis, (n, 1)."""
        scaled = self.scaled(values)
        return scaled if self.arrays.axis is None else parts_along(scaled, self.arrays.axis).sum(axis=1, keepdims=True)

    def place_many(self, values: Values) -> Placements:
        """n customers at once; `values` has shape (n, d)."""
        scaled = self.scaled(np.asarray(values, dtype=np.float64).reshape(-1, len(self.features)))
        if self.line is not None and self.arrays.axis is not None:
            return self._place_many_along(parts_along(scaled, self.arrays.axis), self.line)
        squares = np.empty((len(scaled), len(self._centres)))
        for index, centre in enumerate(self._centres):  # k is small; an (n, k, d) array is not
            squares[:, index] = np.square(scaled - centre).sum(axis=1)
        rows = np.arange(len(scaled))
        nearest = squares.argmin(axis=1)
        best = squares[rows, nearest]
        squares[rows, nearest] = np.inf
        second = squares.argmin(axis=1)
        border = (squares[rows, second] - best) / (2.0 * np.array(self._apart)[nearest, second])
        steps = 2.0 * (self._centres[nearest] - self._centres[second])
        contributions = steps * (scaled - (self._centres[nearest] + self._centres[second]) / 2.0)
        return Placements(nearest, second, border, self._confidences(border), contributions)

    def _place_many_along(self, parts: Values, line: Line) -> Placements:
        at = parts.sum(axis=1)
        nearest, second = line.nearest_two_of_many(at)
        border = np.abs(at - np.array(line.borders)[nearest, second])
        steps = np.array(line.steps)[nearest, second]
        contributions = steps[:, None] * (parts - np.array(line.halfway)[nearest, second])
        return Placements(nearest, second, border, self._confidences(border), contributions)

    def _confidences(self, border: Values) -> Values:
        curve = self.arrays.membership
        return np.asarray(np.interp(border, curve.distance, curve.kept))

    def _confidence(self, border: float) -> float:
        curve = self.arrays.membership
        after = bisect_right(curve.distance, border)
        if after == 0:
            return curve.kept[0]
        if after == len(curve.distance):
            return curve.kept[-1]
        left, right = curve.distance[after - 1], curve.distance[after]
        low, high = curve.kept[after - 1], curve.kept[after]
        return low + (high - low) * (border - left) / (right - left)

    def _contributions(self, parts: Sequence[float], best: int, second: int) -> tuple[float, ...]:
        near, far = self.arrays.centres[best], self.arrays.centres[second]
        return tuple((at - b) * (at - b) - (at - a) * (at - a) for at, a, b in zip(parts, near, far, strict=True))
