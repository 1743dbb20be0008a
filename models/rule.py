"""A short rule per segment in words, and how far the rules place customers as the model does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from models.category import Column, Levels
from models.evidence import Record
from models.features import FEATURE

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Phrase:
    """How a condition is said: {low} and {high} are the figures, {low_days} and {high_days} as in "1 day", "90 days".

    What is counted comes in whole things, so that under 4 is up to 3; `one` and `exactly` say a single figure of it.
    """

    at_least: str
    under: str
    between: str
    one: str | None = None
    exactly: str | None = None


# In the order in which conditions are said.
PHRASES: Mapping[str, Phrase] = {
    "frequency": Phrase(
        "{low} or more orders", "up to {high} orders", "{low} to {high} orders", "a single order", "{low} orders"
    ),
    "recency": Phrase(
        "the last order {low_days} ago or longer", "the last order within {high_days}",
        "the last order {low} to {high_days} ago",
    ),
    "monetary": Phrase("spent {low} or more", "spent under {high}", "spent {low} to {high}"),
    "tenure": Phrase(
        "first bought {low_days} ago or longer", "first bought within {high_days}",
        "first bought {low} to {high_days} ago",
    ),
    "average_order_value": Phrase(
        "spends {low} or more an order", "spends under {high} an order", "spends {low} to {high} an order"
    ),
    "mean_gap": Phrase(
        "{low_days} or more between orders", "under {high_days} between orders", "{low} to {high_days} between orders"
    ),
    "distinct_products": Phrase(
        "{low} or more products", "up to {high} products", "{low} to {high} products", "a single product",
        "{low} products",
    ),
    "typical_quantity": Phrase(
        "usually takes {low} units a line or more", "usually takes under {high} units a line",
        "usually takes {low} to {high} units a line",
    ),
    "mean_line_quantity": Phrase(
        "takes {low} or more units a line on average", "takes under {high} units a line on average",
        "takes {low} to {high} units a line on average",
    ),
    "mean_unit_price": Phrase(
        "buys at {low} or more a unit", "buys at under {high} a unit", "buys at {low} to {high} a unit"
    ),
    "return_rate": Phrase("returned {low} or more", "returned under {high}", "returned {low} to {high}"),
}  # fmt: skip
OTHER = Phrase("{name} {low} or more", "{name} under {high}", "{name} {low} to under {high}")


class Condition(Record):
    """A feature's value is at least `low` and under `high`; null where it is not bounded. Original units."""

    feature: str
    low: float | None
    high: float | None

    @model_validator(mode="after")
    def _bounds_agree(self) -> "Condition":
        if self.low is None and self.high is None:
            raise ValueError(f"the condition on {self.feature} bounds nothing")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"the condition on {self.feature} is from {self.low:g} to under {self.high:g}: nothing")
        return self

    def meets(self, values: Values) -> NDArray[np.bool_]:
        """Which of the values, shape (n,), meet it; NaN does not."""
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        return (values >= low) & (values < high)

    @property
    def words(self) -> str:
        phrase = PHRASES.get(self.feature, OTHER)
        low, high = self.low, self.high
        pattern = phrase.under if low is None else phrase.at_least if high is None else phrase.between
        if high is not None and phrase.one and phrase.exactly:
            high -= 1
            if high == 1:
                pattern = phrase.one
            elif high == low:
                pattern = phrase.exactly
        figures = {side: _figure(self.feature, value) for side, value in (("low", low), ("high", high))}
        days = {f"{side}_days": f"{figure} day{'' if figure == '1' else 's'}" for side, figure in figures.items()}
        return pattern.format(name=self.feature.replace("_", " "), **figures, **days)


class Rule(Record):
    """One segment's rule and how it does by itself, whatever the other segments' rules say."""

    segment_id: int
    conditions: tuple[Condition, ...] = Field(description="All must hold.")
    words: str
    members: int = Field(description="Members of the segment among the customers the figures are of.")
    precision: float | None = Field(
        description="Share of customers meeting the rule whom the model places here; null where nobody meets it."
    )
    recall: float | None = Field(description="Share of the segment's members who meet the rule; null without members.")
    fidelity: float = Field(description="Share of all customers for whom rule and model agree, in or out.")

    def meets(self, features: Mapping[str, Values]) -> NDArray[np.bool_]:
        """Which of n customers meet the rule; `features` has an array of shape (n,) for each."""
        return meets(self.conditions, features)


class Rules(Record):
    """A rule for each segment, as one list that places every customer: the first rule met decides."""

    rules: tuple[Rule, ...] = Field(description="In the order they are asked.")
    otherwise: int = Field(description="The segment id of customers who meet no rule.")
    fidelity: float = Field(description="Share of customers whom the list places in the model's segment.")
    met_by_none: float = Field(description="Share of customers who meet no rule.")
    met_by_several: float = Field(description="Share of customers who meet more than one.")
    customers: int = Field(description="How many customers the figures are of.")
    method: str

    def place(self, features: Mapping[str, Values]) -> NDArray[np.int64]:
        """The segment id the list gives each of n customers, shape (n,)."""
        return first_met({rule.segment_id: rule.meets(features) for rule in self.rules}, self.otherwise)


def meets(conditions: Sequence[Condition], features: Mapping[str, Values]) -> NDArray[np.bool_]:
    """Which of n customers meet all conditions, shape (n,)."""
    all_of_them = np.ones(len(next(iter(features.values()))), dtype=np.bool_)
    for condition in conditions:
        all_of_them &= condition.meets(features[condition.feature])
    return all_of_them


def words_of(conditions: Sequence[Condition]) -> str:
    """A rule as a person would say it: "4 or more orders, the last within 50 days"."""
    places = {name: place for place, name in enumerate(PHRASES)}
    order = sorted(conditions, key=lambda condition: places.get(condition.feature, len(places)))
    said = ", ".join(condition.words for condition in order) or "any customer"
    return said.replace(" orders, the last order ", " orders, the last ")


def words_of_table(columns: Sequence[Column], levels: Levels, conditions: Sequence[Condition]) -> str:
    """The same of a table of customers, in the order of its columns: "Age under 40, Gender Female"."""
    by_name = {condition.feature: condition for condition in conditions}
    said = [_of_column(column, levels, by_name[column.name]) for column in columns if column.name in by_name]
    return ", ".join(said) or "any customer"


def _of_column(column: Column, levels: Levels, condition: Condition) -> str:
    if column.level is not None:  # a column of 0 and 1: at least 1 has the word, under 1 has it not
        words = levels[column.feature]
        other = words[-1] if len(words) == 2 else f"not {column.level}"
        return f"{column.feature} {column.level if condition.low is not None else other}"
    low, high = (None if bound is None else f"{bound:,.12g}" for bound in (condition.low, condition.high))
    if low is None:
        return f"{column.feature} under {high}"
    return f"{column.feature} {low} or more" if high is None else f"{column.feature} {low} to under {high}"


def first_met(met: Mapping[int, NDArray[np.bool_]], otherwise: int) -> NDArray[np.int64]:
    """The first segment id whose rule each customer meets, shape (n,); `met` in the order of asking."""
    return np.select(list(met.values()), [np.int64(one) for one in met], np.int64(otherwise)).astype(np.int64)


def _figure(feature: str, value: float | None) -> str:
    """All digits the threshold has: it was rounded when it was found, and what is said must be what is asked."""
    if value is None:
        return ""
    known = FEATURE.get(feature)
    return f"{100 * value:,.12g} %" if known and known.unit == "share of value" else f"{value:,.12g}"
