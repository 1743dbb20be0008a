"""A table as a record of arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from training.demo.clock import Ints


@dataclass(frozen=True)
class Columns:
    """Arrays of one length, a field each; an element (or row) of each makes a record."""

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        return cls(
            **{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)}
        )

    def taken(self, at: Ints) -> Self:
        return type(self)(**{field.name: getattr(self, field.name)[at] for field in fields(self)})
