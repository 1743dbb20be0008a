"""What was mined of products, as arrays: as tuples it is several times the size."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.affinity import NEIGHBOURS, ProductAffinities

Values = NDArray[np.float64]
Counts = NDArray[Any]  # of as few bytes each as the largest needs

REPEAT_SHARE = 0.1  # a repeat purchase good: this share of its buyers bought it in two or more orders


class Curve(NamedTuple):
    """Log odds as a weighted sum of c figures, and a constant. `weights` has the shape (c,)."""

    weights: Values
    constant: float

    @classmethod
    def of(cls, coefficients: Sequence[float]) -> "Curve":
        """Of the weights and, as the last, the constant."""
        return cls(np.array(coefficients[:-1]), coefficients[-1])

    def at(self, made_of: Values) -> Values:
        """Log odds of n cases, shape (n, c). Rounded, so that no last bit decides which of two equals is first."""
        scored: Values = made_of @ self.weights
        scored += self.constant
        return scored.round(9)


class Popular(NamedTuple):
    """What members of a segment buy more than others (lift over 1) by number of buyers, then the rest of the shop's
    products.

    The products' indices and the buyers to name: the members', or where the segment has none the shop's; shape (p,)
    each.
    """

    products: Counts
    buyers: Counts


class ProductArrays:
    """p products by index; `neighbours`, `scores` and the supports have NEIGHBOURS columns, with zeros behind."""

    def __init__(self, affinities: ProductAffinities) -> None:
        self.products, self.descriptions = affinities.products, affinities.descriptions
        self.customers = affinities.customers
        self.index = {product: index for index, product in enumerate(affinities.products)}
        counted = np.array(affinities.buyers, dtype=np.float64)
        self.buyers = _narrow(counted)
        self.again = np.array(affinities.repeat_buyers, dtype=np.float64) >= REPEAT_SHARE * counted
        self.neighbours = _narrow(affinities.neighbours.padded(NEIGHBOURS))
        self.scores = affinities.scores.padded(NEIGHBOURS)
        self.support = _narrow(affinities.support.padded(NEIGHBOURS))
        self.segment_support = {
            segment_id: _narrow(one.support.padded(NEIGHBOURS)) for segment_id, one in affinities.segments.items()
        }
        self.popular = {
            segment_id: _most_bought(
                np.array(one.buyers, dtype=np.float64), one.customers, counted, affinities.customers
            )
            for segment_id, one in affinities.segments.items()
        }
        self.fresh_curve = Curve.of(affinities.chances.fresh)
        self.repeat_curve = Curve.of(affinities.chances.repeat)


def _most_bought(here: Values, customers: int, everywhere: Values, all_customers: int) -> Popular:
    typical = here * all_customers <= everywhere * customers
    order = np.lexsort((np.arange(len(here)), -everywhere, -here, typical))
    return Popular(_narrow(order), _narrow(np.where(here > 0, here, everywhere)[order]))


def _narrow(counts: NDArray[Any]) -> Counts:
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
