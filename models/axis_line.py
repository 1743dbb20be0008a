"""An axis cut into segments, and one customer after the other placed along it."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.axis import Axis, Values

Bounds = tuple[float, float, float, float]  # of a feature: the lowest and the highest value, mean and scale


class Start:
    """One customer on an axis: the d values, as scaled, by how much the features weigh on each one's weight, each
    one's part of the place, and the place."""

    __slots__ = ("leaning", "parts", "place", "scaled", "values")

    def __init__(
        self, values: Sequence[float], scaled: list[float], leaning: list[float], parts: list[float], place: float
    ) -> None:
        self.values = values
        self.scaled = scaled
        self.leaning = leaning
        self.parts = parts
        self.place = place


class Line:
    """What placing one customer after the other along an axis needs, prepared once.

    `order` has the indices of the k centres from the lowest to the highest, `middles` the k - 1 borders between
    neighbours. `bounds` has a feature's bounds, mean and scale. Of two centres i and j, `borders[i][j]` is the place
    halfway between them, `halfway[i][j]` the d features' parts of it, `steps[i][j]` twice the way from j to i.
    """

    def __init__(
        self,
        axis: Axis,
        centres: Sequence[Sequence[float]],
        bounds: Sequence[Bounds],
        transform: Callable[[float], float],
    ) -> None:
        """`centres` has shape (k, 1); a value is clipped to its bounds, transformed, less the mean, over the scale."""
        at = [centre[0] for centre in centres]
        parts = np.array(axis.middles)
        self.linear = list(axis.linear)
        self.products = [list(row) for row in axis.products]
        self.bounds = list(bounds)
        self.order: list[int] = sorted(range(len(at)), key=at.__getitem__)
        self.middles = [(at[one] + at[other]) / 2 for one, other in pairwise(self.order)]
        self.steps = [[2.0 * (one - other) for other in at] for one in at]
        self.borders = [[(one + other) / 2.0 for other in at] for one in at]
        self.halfway: list[list[list[float]]] = ((parts[:, None, :] + parts[None, :, :]) / 2).tolist()
        # below it the lower neighbour is the second nearest, above it the higher; at either end there is but one
        turns = [(at[one] + at[other]) / 2 for one, other in zip(self.order, self.order[2:], strict=False)]
        self._turns = [-math.inf, *turns, math.inf]
        self._transform = transform
        self._latest = Start((), [], [], [], 0.0)

    def doubt(self, certain: float) -> float:
        """How near to a border a place is for rounding to decide its side; `certain` is that of squared distances."""
        return certain / min([self.steps[high][low] for low, high in pairwise(self.order)])

    def start(self, values: Sequence[float]) -> Start:
        """A customer on the axis; of the same list, which must not have changed, it is worked out once in a row."""
        start = self._latest
        if start.values is not values:
            start = self._latest = self._started(values)
        return start

    def _started(self, values: Sequence[float]) -> Start:
        scaled: list[float] = []
        for value, (low, high, mean, scale) in zip(values, self.bounds, strict=True):
            clipped = low if value < low else high if value > high else value
            scaled.append((self._transform(clipped) - mean) / scale)
        leaning: list[float] = []
        parts: list[float] = []
        place = 0.0
        for feature, row in enumerate(self.products):
            more = 0.0
            for weight, at in zip(row, scaled, strict=True):
                more += weight * at
            part = scaled[feature] * (self.linear[feature] + more)
            leaning.append(more)
            parts.append(part)
            place += part
        return Start(values, scaled, leaning, parts, place)

    def nearest_two(self, at: float) -> tuple[int, int]:
        """The indices of the nearest and the second nearest centre."""
        index = bisect_left(self.middles, at)
        return self.order[index], self.order[index - 1 if at < self._turns[index] else index + 1]

    def nearest_two_of_many(self, at: Values) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The same for n places, shape (n,) each."""
        index = np.searchsorted(self.middles, at)
        order = np.array(self.order, dtype=np.intp)
        return order[index], order[np.where(at < np.array(self._turns)[index], index - 1, index + 1)]
