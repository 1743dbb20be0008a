"""One direction that customers are placed along, and the segments on it."""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import mul
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Values = NDArray[np.float64]


class Axis(BaseModel):
    """One direction that customers are placed along: a quadratic form of their d scaled features z.

    The place is the sum over features f of z_f (linear_f + Σ_g products_fg z_g); `products` is symmetric, d × d. Each
    summand is that feature's part of the place; a product of two features counts half for each. `middles` has the d
    parts of each of the k centres, adding up to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    linear: tuple[float, ...]
    products: tuple[tuple[float, ...], ...]
    middles: tuple[tuple[float, ...], ...]


class Start(NamedTuple):
    """One customer on an axis: the d values, as scaled, by how much the features weigh on each one's weight, each
    one's part of the place, and the place."""

    values: Sequence[float]
    scaled: Sequence[float]
    leaning: Sequence[float]
    parts: Sequence[float]
    place: float


class Line:
    """An axis cut into segments: what placing one customer after the other along it needs, prepared once.

    `order` has the indices of the k centres from the lowest to the highest, `middles` the k - 1 borders between
    neighbours. `bounds` has a feature's bounds, mean and scale. Of two centres i and j, `borders[i][j]` is the place
    halfway between them, `halfway[i][j]` the d features' parts of it, `steps[i][j]` twice the way from j to i.
    """

    def __init__(
        self,
        axis: Axis,
        centres: Sequence[Sequence[float]],
        bounds: Sequence[tuple[float, float, float, float]],
        transform: Callable[[float], float],
    ) -> None:
        """`centres` has shape (k, 1); a value is clipped to its bounds, transformed, less the mean, over the scale."""
        at = [centre[0] for centre in centres]
        parts = np.array(axis.middles)
        self.linear, self.products, self.bounds = axis.linear, axis.products, bounds
        self.order = sorted(range(len(at)), key=at.__getitem__)
        self.middles = [(at[one] + at[other]) / 2 for one, other in pairwise(self.order)]
        self.steps = [[2.0 * (one - other) for other in at] for one in at]
        self.borders = [[(one + other) / 2.0 for other in at] for one in at]
        self.halfway = ((parts[:, None, :] + parts[None, :, :]) / 2).tolist()
        # below it the lower neighbour is the second nearest, above it the higher; at either end there is but one
        turns = [(at[one] + at[other]) / 2 for one, other in zip(self.order, self.order[2:], strict=False)]
        self._turns = (-math.inf, *turns, math.inf)
        self._transform = transform
        self._latest = Start((), (), (), (), 0.0)

    def doubt(self, certain: float) -> float:
        """How near to a border a place is for rounding to decide its side; `certain` is that of squared distances."""
        return certain / min(self.steps[high][low] for low, high in pairwise(self.order))

    def start(self, values: Sequence[float]) -> Start:
        """A customer on the axis; of the same list, which must not have changed, it is worked out once in a row."""
        start = self._latest
        if start[0] is not values:
            transform = self._transform
            scaled = [
                (transform(low if value < low else high if value > high else value) - mean) / scale
                for value, (low, high, mean, scale) in zip(values, self.bounds, strict=True)
            ]
            leaning = [sum(map(mul, row, scaled)) for row in self.products]
            parts = [at * (weight + more) for at, weight, more in zip(scaled, self.linear, leaning, strict=True)]
            self._latest = start = Start(values, scaled, leaning, parts, sum(parts))
        return start

    def nearest_two(self, at: float) -> tuple[int, int]:
        """The indices of the nearest and the second nearest centre."""
        index = bisect_left(self.middles, at)
        return self.order[index], self.order[index - 1 if at < self._turns[index] else index + 1]

    def nearest_two_of_many(self, at: Values) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The same for n places, shape (n,) each."""
        index = np.searchsorted(self.middles, at)
        order = np.array(self.order, dtype=np.intp)
        return order[index], order[np.where(at < np.array(self._turns)[index], index - 1, index + 1)]


def parts_along(scaled: Values, axis: Axis) -> Values:
    """Each feature's part of n customers' place along the axis: (n, d), adding up to the place."""
    parts: Values = scaled * (np.array(axis.linear) + scaled @ np.array(axis.products))
    return parts
