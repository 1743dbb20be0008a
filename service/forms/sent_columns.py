"""Many customers by features, as they were sent, column by column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SentColumns:
    """n customers: ids and moments as sent, and each feature's values, shape (n,), with NaN where not known."""

    ids: Sequence[Any]
    as_of: Sequence[Any] | None
    features: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, places: slice) -> Self:
        """Some of them."""
        features = {name: column[places] for name, column in self.features.items()}
        return replace(self, ids=self.ids[places], as_of=self.as_of and self.as_of[places], features=features)
