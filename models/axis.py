"""One direction that customers are placed along."""

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


def parts_along(scaled: Values, axis: Axis) -> Values:
    """Each feature's part of n customers' place along the axis: (n, d), adding up to the place."""
    parts: Values = scaled * (np.array(axis.linear) + scaled @ np.array(axis.products))
    return parts
