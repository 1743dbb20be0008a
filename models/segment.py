"""A segment: its stable id, its name, and the profile of its members."""

from pydantic import Field

from models.category import LevelShare
from models.evidence import Record
from models.habit import Habits
from models.outcome import Outcome
from models.rule import Rule
from models.spread import Spread
from models.uplift import DetectableUplift


class CountryShare(Record):
    """How many members have this main country, and their share of the segment."""

    country: str
    customers: int
    share: float


class ProductShare(Record):
    """A product members buy: by how many of them, their share, and lift over all customers' share."""

    product: str
    description: str | None
    customers: int
    share: float
    lift: float


class Segment(Record):
    """A segment as the artifact stores it and `GET /segments/{id}` shows it. Money in the data's currency."""

    id: int = Field(description="Stable over retrains; never reused.")
    name: str
    size: int = Field(description="Customers in the training data.")
    share: float = Field(description="Of all customers.")
    revenue: float | None = Field(description="Net of returns, in the data's currency; null without transactions.")
    revenue_share: float | None = Field(
        description="Of all customers' net revenue; null without transactions, or where that revenue is not positive."
    )
    revenue_per_customer: float | None
    profitability_rank: int | None = Field(
        description="1 is the segment with the most net revenue per customer; null without transactions."
    )
    features: dict[str, Spread] = Field(description="Median and quartiles of each feature among members.")
    mode_of_quantity: float | None = Field(description="The most frequent quantity on members' purchase lines.")
    countries: tuple[CountryShare, ...]
    products: tuple[ProductShare, ...] = Field(description="Most bought by members, by number of buyers.")
    habits: Habits | None = Field(description="How members typically buy; null without transactions.")
    categories: dict[str, tuple[LevelShare, ...]] = Field(
        default_factory=dict, description="Of features in words, how many members have which."
    )
    differs_in: tuple[str, ...] = Field(description="In words: where the segment differs most from all customers.")
    rule: Rule | None = Field(None, description="Who is here, in short; how well it says so stands beside it.")
    jaccard: float | None = Field(
        None, description="Mean overlap with itself in refits on resamples; under 0.6 the segment is hardly there."
    )
    outcome: Outcome | None = Field(None, description="What members did later; null where history is too short.")
    uplift: DetectableUplift | None = Field(
        None, description="The smallest effect of the advice that a test against the held-out members can show."
    )
