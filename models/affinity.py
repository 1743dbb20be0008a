"""What goes with what: counts and scores of products bought together, as mined and stored in the artifact.

Each product names up to NEIGHBOURS others by its weight in a linear model of all that customers hold (EASE, Steck
2019).
"""

from collections.abc import Sequence
from typing import Annotated, Any, Self

import numpy as np
from pydantic import ConfigDict, Field, model_validator

from models.evidence import Record
from models.rows import Rows

NEIGHBOURS = 20  # per product; more make the artifact larger and the lists hardly better

Count = Annotated[int, Field(ge=0, le=2**53)]  # so that an array of floats has it as it is


class Chances(Record):
    """Logistic curves of the chance that the next order has a product; the last coefficient is the constant.

    `repeat`: of log orders with it, log(1 + orders since), log orders in all, and how it sold lately.
    `fresh`: of log affinity, and how it sold lately.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    repeat: tuple[float, float, float, float, float] = (1.0, -0.5, -0.3, 0.5, -2.0)
    fresh: tuple[float, float, float] = (0.7, 0.5, -1.5)


class SegmentProducts(Record):
    """The same counts within a segment: `buyers` per product, `support` per product and neighbour."""

    customers: Count
    buyers: tuple[Count, ...]
    support: Rows[Count]


class ProductAffinities(Record):
    """What was mined, as stored in the artifact: p products in ascending order, columns of p entries.

    `buyers` bought the product, `repeat_buyers` in two or more orders; `recent` counts its orders in the last weeks
    before the end of the data. `neighbours[i]` are the indices of the products that `i` speaks for, best first, with
    their `support` (customers who bought both) and `scores`. Confidence and lift follow from these counts.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    customers: Count
    products: tuple[str, ...]
    descriptions: tuple[str | None, ...]
    buyers: tuple[Count, ...]
    repeat_buyers: tuple[Count, ...]
    recent: tuple[Count, ...]
    neighbours: Rows[int]
    support: Rows[Count]
    scores: Rows[float]
    segments: dict[int, SegmentProducts]
    chances: Chances = Chances()

    @model_validator(mode="after")
    def _shapes_agree(self) -> Self:
        p = len(self.products)
        columns: list[Sequence[object]] = [
            self.descriptions, self.buyers, self.repeat_buyers, self.recent, self.neighbours, self.support, self.scores
        ]  # fmt: skip
        pairs: list[Rows[Any]] = [self.scores, self.support, *[one.support for one in self.segments.values()]]
        columns += [column for one in self.segments.values() for column in (one.buyers, one.support)]
        if any(len(column) != p for column in columns) or not all(
            np.array_equal(rows.widths, self.neighbours.widths) for rows in pairs
        ):
            raise ValueError(f"the columns do not fit {p} products and their neighbours")
        if list(self.products) != sorted(set(self.products)):
            raise ValueError("the products are not in ascending order, each once")
        others = self.neighbours.values
        if ((others < 0) | (others >= p)).any() or self.neighbours.widths.max(initial=0) > NEIGHBOURS:
            raise ValueError(f"a neighbour is not one of the {p} products, or there are more than {NEIGHBOURS}")
        if min(self.buyers, default=1) < 1 or self.support.values.min(initial=1) < 1:
            raise ValueError("a product nobody bought, or a pair nobody bought, cannot be recommended")
        if (self.scores.values <= 0).any():
            raise ValueError("a score is not positive")
        return self
