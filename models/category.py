"""Categories as numbers: a feature in words becomes columns of 0 and 1, for one customer or many alike."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Values = NDArray[np.float64]
Levels = Mapping[str, Sequence[str]]


class LevelShare(BaseModel):
    """How many customers have this level of a category, and their share of those whose level is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: str
    customers: int
    share: float


class Column(NamedTuple):
    """One number a scorer takes: a numeric feature, or whether a feature in words has a certain level."""

    name: str
    feature: str
    level: str | None = None


def columns(features: Sequence[str], levels: Levels) -> tuple[Column, ...]:
    """The columns of the features, in their order; `levels` has those of each feature that is in words.

    Two levels make one column, for the first: `Gender=Female` is 1 or 0, and 0 is the other level. More make a
    column each. Raises ValueError where two columns would have one name, or a feature has fewer than two levels.
    """
    found = tuple(column for feature in features for column in _of(feature, levels.get(feature)))
    names = [column.name for column in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two columns would be called {twice[0]!r}; rename one of the features")
    return found


def expand(columns: Sequence[Column], features: Mapping[str, float | str]) -> list[float]:
    """One customer's features as numbers, in the order of the columns. Raises KeyError for one that is missing."""
    return [
        float(features[feature]) if level is None else float(features[feature] == level)
        for _, feature, level in columns
    ]


def expand_many(
    columns: Sequence[Column], numeric: Mapping[str, Values], categorical: Mapping[str, Sequence[str | None]]
) -> Values:
    """The same for n customers at once: arrays and sequences of n values in, shape (n, len(columns)) out."""
    words = {feature: np.array(categorical[feature], dtype=object) for _, feature, level in columns if level}
    return np.column_stack(
        [
            numeric[feature] if level is None else (words[feature] == level).astype(np.float64)
            for _, feature, level in columns
        ]
    )


def collapse(columns: Sequence[Column], levels: Levels, values: Sequence[float]) -> dict[str, float | str]:
    """One customer's features again from the numbers that `expand` made of them."""
    features: dict[str, float | str] = {}
    for (_, feature, level), value in zip(columns, values, strict=True):
        if level is None:
            features[feature] = value
        elif value:
            features[feature] = level
        else:  # of two levels only the first has a column
            features.setdefault(feature, levels[feature][-1])
    return features


def _of(feature: str, levels: Sequence[str] | None) -> list[Column]:
    if levels is None:
        return [Column(feature, feature)]
    if len(levels) < 2 or not all(levels):
        raise ValueError(f"{feature!r} needs at least two levels, none of them empty, to tell customers apart")
    told = levels if len(levels) > 2 else levels[:1]
    return [Column(f"{feature}={level}", feature, level) for level in told]
