"""The fitted pipeline as arrays: clip, transform, scale, nearest centre. One customer or millions, the same answer.

It must equal `pipeline.predict`; `models.proof` checks that before a version is served.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.axis import Values, parts_along
from models.axis_line import Line, Start
from models.scorer_arrays import TRANSFORMS, ScorerArrays


class Placement:
    """Where one customer lies: indices of the nearest and second nearest centre, and how surely.

    `contributions[f]` is by how much feature f makes the nearest centre nearer than the second, in squared
    scaled distance; they add up to `margin`, the difference of the two squared distances.
    """

    __slots__ = ("confidence", "contributions", "nearest", "second")

    def __init__(self, nearest: int, second: int, confidence: float, contributions: list[float]) -> None:
        self.nearest = nearest
        self.second = second
        self.confidence = confidence
        self.contributions = contributions

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


class Scorer:
    """Scores feature values, in the order of `arrays.features`."""

    def __init__(self, arrays: ScorerArrays) -> None:
        self.arrays = arrays
        self._one, self._many = TRANSFORMS[arrays.transform]
        self._bounds = list(zip(arrays.lower, arrays.upper, arrays.mean, arrays.scale, strict=True))
        self._mean, self._scale = np.array(arrays.mean), np.array(arrays.scale)
        self._centres = np.array(arrays.centres)
        apart = np.sqrt(np.square(self._centres[:, None, :] - self._centres[None, :, :]).sum(axis=2))
        self._apart: list[list[float]] = apart.tolist()
        self._distance, self._kept = list(arrays.membership.distance), list(arrays.membership.kept)
        axis = arrays.axis
        self.line = None if axis is None else Line(axis, arrays.centres, self._bounds, self._one)

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
        contributions = [
            step * (part - middle) for part, middle in zip(start.parts, line.halfway[best][second], strict=True)
        ]
        return Placement(best, second, self._confidence(abs(start.place - border)), contributions)

    def scaled(self, values: Values) -> Values:
        """The (n, d) values clipped, transformed and scaled."""
        clipped = np.clip(values, self.arrays.lower, self.arrays.upper)
        return np.asarray((self._many(clipped) - self._mean) / self._scale)

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
        return np.asarray(np.interp(border, self._distance, self._kept))

    def _confidence(self, border: float) -> float:
        distance, kept = self._distance, self._kept
        after = bisect_right(distance, border)
        if after == 0:
            return kept[0]
        if after == len(distance):
            return kept[-1]
        left, right = distance[after - 1], distance[after]
        low, high = kept[after - 1], kept[after]
        return low + (high - low) * (border - left) / (right - left)

    def _contributions(self, parts: Sequence[float], best: int, second: int) -> list[float]:
        near, far = self.arrays.centres[best], self.arrays.centres[second]
        return [(at - b) * (at - b) - (at - a) * (at - a) for at, a, b in zip(parts, near, far, strict=True)]
