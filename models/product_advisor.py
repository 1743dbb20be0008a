"""Which products a customer may be recommended, and why.

What a customer buys again is judged by in how many orders they bought it and how many orders ago. What is new to them
is judged by the products they have, each of which names its neighbours (`models.affinity`), and what was bought in
later orders counts more.
Both are turned into the chance that the next order has the product, by a logistic curve fitted to orders held out, in
which what sold lately counts for more. The highest chances are recommended, nothing bought before among them unless
people buy it again, and where they run out the products most bought in the segment.
"""

import math
from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.affinity import NEIGHBOURS, ProductAffinities
from models.bought import Bought
from models.errors import UnknownSegment
from models.product_arrays import ProductArrays
from models.recommended_product import Pair, RecommendedProduct

Values = NDArray[np.float64]
Indices = NDArray[np.intp]

ORDER_WEIGHT = 0.8  # an order counts this much of the next later one
COUNT = 10


class Basket(NamedTuple):
    """What a customer bought, as arrays of shape (m,): index of the product, orders with it, orders since.

    `orders` is how many orders the customer made, as far as the products tell.
    """

    rows: Indices
    times: Values
    since: Values
    orders: int


class ProductAdvisor:
    """Recommends products. Prepared once from what was mined, then asked for one customer after another."""

    def __init__(self, mined: ProductArrays, recent: Values) -> None:
        """Of what was mined, at a moment when `recent` (shape (p,)) was sold in the last weeks."""
        self.products, self.descriptions = mined.products, mined.descriptions
        self._mined = mined
        self._lately = np.log((recent + 1) / (np.mean(recent) + 1)) if len(recent) else recent

    @classmethod
    def of(cls, affinities: ProductAffinities) -> "ProductAdvisor":
        """Of what was mined, at its own moment."""
        return cls(ProductArrays(affinities), np.array(affinities.recent, dtype=np.float64))

    def as_sold(self, recent: Values) -> "ProductAdvisor":
        """The same advisor at a moment when `recent` (shape (p,)) was sold in the last weeks."""
        return ProductAdvisor(self._mined, recent)

    @property
    def segments(self) -> Set[int]:
        """The ids of the segments it can recommend products in."""
        return self._mined.popular.keys()

    def recommend(
        self, bought: Mapping[str, Bought] | None, segment_id: int, count: int = COUNT, *, new_only: bool = False
    ) -> list[RecommendedProduct]:
        """At most `count` products, the most likely first; of equals the one whose code comes first.

        Nothing bought before but what the customer bought in two orders or is a repeat purchase good, and with
        `new_only` nothing bought before at all. Without purchases, what members of the segment buy more than others.
        Raises UnknownSegment.
        """
        popular = self._mined.popular.get(segment_id)
        if popular is None:
            known = ", ".join([str(one) for one in self.segments])
            raise UnknownSegment(f"no products were mined for segment {segment_id}; there are segments {known}")
        found: list[RecommendedProduct] = []
        if bought and len((basket := self.basket(bought)).rows):
            found = self._likely(basket, segment_id, count, new_only)
        if len(found) == count:
            return found
        taken = {one.product for one in found}.union(bought or ())
        first = len(taken) + max(count, 0)  # of so many there are enough that are not taken
        for index, buyers in zip(popular.products[:first].tolist(), popular.buyers[:first].tolist(), strict=True):
            if len(found) >= count:
                break
            product = self.products[index]
            if product not in taken:
                found.append(RecommendedProduct(product, self.descriptions[index], "popular", None, 0, buyers))
        return found[: max(count, 0)]

    def basket(self, bought: Mapping[str, Bought]) -> Basket:
        """The products known here. Each last purchase at another moment is taken for another order.

        Nearly every order has some product the customer did not buy later, so that the moments count the orders.
        """
        index = self._mined.index
        rows: list[int] = []
        times: list[float] = []
        last: list[float] = []
        moments: set[float] = set()
        most = 1
        for product, one in bought.items():
            orders, last_at = one.orders, one.last_at
            moments.add(last_at)
            most = max(most, orders)
            row = index.get(product)
            if row is not None:
                rows.append(row)
                times.append(orders)
                last.append(last_at)
        since = {at: float(place) for place, at in enumerate(sorted(moments, reverse=True))}
        return Basket(
            np.array(rows, dtype=np.intp),
            np.array(times, dtype=np.float64),
            np.array([since[at] for at in last], dtype=np.float64),
            max(len(moments), most),
        )

    def repeats(self, basket: Basket) -> tuple[Indices, Values]:
        """What may be bought again: indices of r products, and what their chance is made of, shape (r, 4)."""
        may = self._mined.again.take(basket.rows) | (basket.times >= 2)
        rows = basket.rows[may]
        made_of = np.empty((len(rows), 4))
        if not len(rows):
            return rows, made_of
        made_of[:, 0] = np.log(basket.times[may])
        made_of[:, 1] = np.log1p(basket.since[may])
        made_of[:, 2] = math.log(basket.orders)
        made_of[:, 3] = self._lately[rows]
        return rows, made_of

    def affinity(self, basket: Basket) -> Values:
        """How much what the customer bought speaks for each product, shape (p,); 0 for what they have."""
        return self._affinity(basket, *self._spoken_for(basket))

    def fresh(self, basket: Basket) -> tuple[Indices, Values]:
        """What is new to the customer: indices of f products, and what their chance is made of, shape (f, 2)."""
        return self._made_of(self.affinity(basket))

    def _spoken_for(self, basket: Basket) -> tuple[Indices, Values]:
        """The neighbours of all m products one after another, shape (m * NEIGHBOURS,), and each one's weight."""
        speaks = self._mined.scores.take(basket.rows, axis=0) * (ORDER_WEIGHT**basket.since)[:, None]
        return self._mined.neighbours.take(basket.rows, axis=0).ravel().astype(np.intp), speaks.ravel()

    def _affinity(self, basket: Basket, others: Indices, speaks: Values) -> Values:
        affinity = np.bincount(others, speaks, len(self._lately)).astype(np.float64, copy=False)
        affinity[basket.rows] = 0.0
        return affinity

    def _made_of(self, affinity: Values) -> tuple[Indices, Values]:
        rows = (affinity > 0).nonzero()[0]  # none is less, and of booleans it is found faster
        made_of = np.empty((len(rows), 2))
        made_of[:, 0] = np.log(affinity.take(rows))
        made_of[:, 1] = self._lately.take(rows)
        return rows, made_of

    def _likely(self, basket: Basket, segment_id: int, count: int, new_only: bool) -> list[RecommendedProduct]:
        others, speaks = self._spoken_for(basket)
        rows, made_of = self._made_of(self._affinity(basket, others, speaks))
        scored = self._mined.fresh_curve.at(made_of)
        if not new_only:
            again, made_of = self.repeats(basket)
            if len(again):
                rows = np.concatenate((rows, again))
                scored = np.concatenate((scored, self._mined.repeat_curve.at(made_of)))
        best = _best(rows, scored, count)
        bought = basket.rows.tolist()
        times = dict(zip(bought, basket.times.tolist(), strict=True))
        strongest = self._strongest([row for row, _ in best if row not in times], others, speaks)
        found = []
        for row, score in best:
            place = strongest.get(row)
            pair = None
            if place is not None:
                pair = self._pair(bought[place // NEIGHBOURS], row, place % NEIGHBOURS, segment_id)
            found.append(
                RecommendedProduct(
                    self.products[row],
                    self.descriptions[row],
                    "bought_together" if pair else "repeat",
                    1 / (1 + math.exp(-score)),
                    0 if pair else int(times[row]),
                    self._mined.buyers.item(row),
                    pair,
                )
            )
        return found

    def _strongest(self, rows: Sequence[int], others: Indices, speaks: Values) -> dict[int, int]:
        """For each of `rows` the place in `others` that speaks most for it; of equals the first."""
        if not rows:
            return {}
        wanted = np.zeros(len(self._lately), dtype=bool)
        wanted[rows] = True
        places = wanted.take(others).nonzero()[0]
        strongest: dict[int, int] = {}
        most: dict[int, float] = {}
        for place, row, weight in zip(
            places.tolist(), others.take(places).tolist(), speaks.take(places).tolist(), strict=True
        ):
            if weight > most.get(row, 0.0):
                strongest[row], most[row] = place, weight
        return strongest

    def _pair(self, bought: int, row: int, place: int, segment_id: int) -> Pair:
        return Pair(
            self.products[bought],
            int(self._mined.support[bought, place]),
            int(self._mined.segment_support[segment_id][bought, place]),
            int(self._mined.buyers[bought]),
            float(self._mined.buyers[row]) / self._mined.customers,
        )


def _best(rows: Indices, scored: Values, count: int) -> list[tuple[int, float]]:
    """The `count` rows of the highest scores, each with its score; of equal scores the lowest rows."""
    if 0 < count < len(scored):
        ascending = scored.copy()
        ascending.partition(len(scored) - count)
        candidates = (scored >= ascending[len(scored) - count]).nonzero()[0]
        rows, scored = rows.take(candidates), scored.take(candidates)
    ordered = sorted(zip((-scored).tolist(), rows.tolist(), strict=True))
    return [(row, -score) for score, row in ordered[: max(count, 0)]]
