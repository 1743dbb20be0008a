"""Key features: what drives which segment a customer is in, and what drives later purchases, ranked."""

from pydantic import Field

from models.evidence import Record


class Driver(Record):
    """One feature's importance, and how far single shuffles of it strayed from that."""

    feature: str
    importance: float = Field(description="In the measure of the ranking; about 0, or below, where nothing is lost.")
    deviation: float = Field(description="Standard deviation over the shuffles.")
    moves_with: tuple[str, ...] = Field(description="Features it shares importance with: they rise or fall together.")


class Ranking(Record):
    """The features by their importance for one thing, the most important first."""

    drives: str = Field(description="What the features drive, in words.")
    measure: str = Field(description="What an importance is.")
    quality: float | None = Field(
        description="R² or AUC on customers the boosted model has not seen; null where no model was fitted."
    )
    customers: int = Field(description="How many customers the figures are of.")
    method: str
    drivers: tuple[Driver, ...]


class PurchaseDrivers(Record):
    """What drives later purchases: whether a customer buys again, and for how much."""

    bought: Ranking
    revenue: Ranking
