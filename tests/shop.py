"""Purchase lines for tests: short to write, and strategies to make any."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from models.customer.conventions import Conventions
from models.line import Line

NEW_YEAR = datetime(2011, 1, 1, tzinfo=UTC)
DAY = 86_400.0


def day(number: float) -> float:
    """Seconds UTC at so many days after New Year 2011."""
    return (NEW_YEAR + timedelta(days=number)).timestamp()


def bought(
    invoice: str | None, product: str | None, quantity: float = 1, price: float = 1.0, on: float = 0,
    country: str | None = "United Kingdom",
) -> Line:  # fmt: skip
    return Line(invoice, product, quantity, day(on), price, country)


_PURCHASE = st.builds(
    Line,
    invoice=st.sampled_from(["1", "2", "3", "C4", "C5", "A6", "c7", "CA-8", None]),
    product=st.sampled_from(["A", "B", "a", "POST", "m", "d", "gift_0001_20", "85123A", None]),
    quantity=st.sampled_from([1.0, 2.0, 6.0, 12.0, -1.0, -2.0, -6.0, 0.0]),
    at=st.integers(0, 20).map(day),
    price=st.sampled_from([0.85, 2.55, 4.25, 0.0, -1.0, -2.55]),
    country=st.sampled_from(["United Kingdom", "France", None]),
    description=st.sampled_from(["white lantern", None]),
    status=st.sampled_from([None, "paid", "Cancelled", "refunded", "ÜBERFÄLLIG"]),
)
CONVENTIONS = st.builds(
    Conventions,
    cancellation_prefixes=st.sampled_from([(), ("C",)]),
    adjustment_prefixes=st.sampled_from([(), ("A",), ("A", "X")]),
    non_product_codes=st.sampled_from([(), ("POST", "M"), ("POST", "M", "D")]),
    non_product_prefixes=st.sampled_from([(), ("GIFT_0001_",)]),
    discount_codes=st.sampled_from([(), ("D",), ("D", "M", "A")]),
    duplicates=st.booleans(),
    statuses=st.sampled_from(
        [{}, {"paid": "purchase", "cancelled": "no_purchase", "refunded": "return", "überfällig": "no_purchase"}]
    ),
    placeholders=st.sampled_from([(), ("0", "guest")]),
    earliest=st.sampled_from([None, day(3)]),
)
LINES = st.lists(_PURCHASE, min_size=1, max_size=30)
