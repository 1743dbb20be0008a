"""One line of a shop's transactions: so many of one product, at one price, on one invoice."""

from datetime import UTC, datetime
from typing import NamedTuple


class Line(NamedTuple):
    """A transaction line of one customer.

    `at` is seconds since 1970-01-01 UTC. `quantity` or `price` is negative on a return. `price` is for one unit, in
    the data's own currency. `status` is the source's word for what became of the order. A field the source does not
    have is None.
    """

    invoice: str | None
    product: str | None
    quantity: float
    at: float
    price: float
    country: str | None = None
    description: str | None = None
    status: str | None = None


def seconds(moment: datetime) -> float:
    """Seconds since 1970-01-01 UTC; a moment without a zone is read as UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
