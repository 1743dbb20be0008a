"""A segment: its stable id, its name, and the profile of its members."""

from pydantic import BaseModel, ConfigDict, Field


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(_Record):
    """The middle of a feature among some customers, and its quartiles."""

    median: float
    q1: float
    q3: float


class CountryShare(_Record):
    """How many members have this main country, and their share of the segment."""

    country: str
    customers: int
    share: float


class ProductShare(_Record):
    """A product members buy: by how many of them, their share, and lift over all customers' share."""

    product: str
    description: str | None
    customers: int
    share: float
    lift: float


class Segment(_Record):
    """A segment as the artifact stores it and `GET /segments/{id}` shows it. Money in the data's currency."""

    id: int = Field(description="Stable over retrains; never reused.")
    name: str
    size: int = Field(description="Customers in the training data.")
    share: float = Field(description="Of all customers.")
    revenue: float = Field(description="Net of returns, in the data's currency.")
    revenue_share: float = Field(description="Of all customers' net revenue.")
    revenue_per_customer: float
    profitability_rank: int = Field(description="1 is the segment with the most net revenue per customer.")
    features: dict[str, Spread] = Field(description="Median and quartiles of each feature among members.")
    mode_of_quantity: float | None = Field(description="The most frequent quantity on members' purchase lines.")
    countries: tuple[CountryShare, ...]
    products: tuple[ProductShare, ...] = Field(description="Most bought by members, by number of buyers.")
    differs_in: tuple[str, ...] = Field(description="In words: where the segment differs most from all customers.")
