"""The customers a source has, and their features at a moment: all that is known before anything is fitted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.features import NAMES, compute
from training.summaries import CustomerSummaries

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Customers:
    """The n customers to segment: their summaries, and each known feature as an array of shape (n,)."""

    known: CustomerSummaries
    features: Mapping[str, Values]

    def matrix(self, names: Sequence[str]) -> Values:
        """The named features, shape (n, len(names))."""
        return np.column_stack([self.features[name] for name in names])

    def all_have(self, names: Sequence[str]) -> bool:
        """Whether every customer has all of these features."""
        return all(name in self.features and not np.isnan(self.features[name]).any() for name in names)


def describe(known: CustomerSummaries, as_of: datetime) -> Customers:
    """The features of all customers at `as_of`, those left out that the data has no columns for.

    A customer may lack a feature that others have (no line of theirs names a product): NaN, and not a feature that
    decides segments.
    """
    values = compute(known.summaries, as_of.timestamp())
    found = {name: values[:, index] for index, name in enumerate(NAMES)}
    return Customers(known, {name: column for name, column in found.items() if np.isfinite(column).any()})
