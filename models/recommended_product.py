"""A product to offer to a customer, and why."""

from typing import Literal

from msgspec import Struct

Kind = Literal["repeat", "bought_together", "popular"]


class Pair(Struct, frozen=True, gc=False):
    """What speaks for a product: `product`, which the customer bought, and how the two go together.

    `support` customers bought both, `segment_support` of them in the customer's segment; `buyers` bought `product`.
    `share` of all customers bought the recommended product. Confidence and lift as by Agrawal & Srikant (1994) and
    Brin et al. (1997).
    """

    product: str
    support: int
    segment_support: int
    buyers: int
    share: float

    @property
    def confidence(self) -> float:
        """The share of the buyers of `product` who bought the recommended one too."""
        return self.support / self.buyers

    @property
    def lift(self) -> float:
        """How many times as often they buy it as all customers do."""
        return self.confidence / self.share


class RecommendedProduct(Struct, frozen=True, gc=False):
    """A product to offer. `chance` is the estimated chance that the next order has it; None where it is popular only.

    `orders` is in how many orders the customer bought it, 0 where it is new to them. `buyers` are customers of the
    segment for what is popular there, of the whole shop else.
    """

    product: str
    description: str | None
    kind: Kind
    chance: float | None
    orders: int
    buyers: int
    pair: Pair | None = None

    @property
    def why(self) -> str:
        """The reason in words."""
        if self.kind == "repeat":
            return f"bought before, in {self.orders} order{'s' if self.orders > 1 else ''}"
        if self.pair is not None:
            return f"bought with {self.pair.product} by {self.pair.support:,} customers"
        return f"popular here: bought by {self.buyers:,} customers"
