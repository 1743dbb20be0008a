"""A product that a customer bought."""

from msgspec import Struct


class Bought(Struct, frozen=True, gc=False):
    """In how many orders a product was bought, and when last (seconds UTC)."""

    orders: int
    last_at: float
