"""Purchase lines for tests: short to write, and strategies to make any."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

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
    invoice=st.sampled_from(["1", "2", "3", "C4", "C5", "A6", "c7"]),
    product=st.sampled_from(["A", "B", "a", "POST", "m", "gift_0001_20", "85123A"]),
    quantity=st.sampled_from([1.0, 2.0, 6.0, 12.0, -1.0, -2.0, -6.0, 0.0]),
    at=st.integers(0, 20).map(day),
    price=st.sampled_from([0.85, 2.55, 4.25, 0.0, -1.0]),
    country=st.sampled_from(["United Kingdom", "France", None]),
    description=st.sampled_from(["white lantern", None]),
)
LINES = st.lists(_PURCHASE, min_size=1, max_size=30)
