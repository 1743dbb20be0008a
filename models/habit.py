"""How the members of a segment typically buy: how much an order has, when it comes, and what they prefer."""

from typing import Literal

from pydantic import Field

from models.evidence import Record
from models.spread import Spread

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class BestWeekday(Record):
    """The weekday with the most of members' orders; of equals the first from Monday on."""

    weekday: Weekday
    orders: int
    share: float = Field(description="Of members' orders.")
    lift: float = Field(description="Over the share among all customers' orders.")


class BestHour(Record):
    """The hour with the most of members' orders; of equals the first."""

    hour: int = Field(ge=0, le=23, description="It begins at: 12 is from 12:00 to 12:59.")
    orders: int
    share: float = Field(description="Of members' orders.")
    lift: float = Field(description="Over the share among all customers' orders.")


class PreferredCountry(Record):
    """A main country that is more frequent among members than among all customers, beyond chance."""

    country: str
    customers: int = Field(description="Members who have it.")
    share: float = Field(description="Of members.")
    lift: float = Field(description="Over the share among all customers.")
    lift_at_least: float = Field(description="Low end of the lift's 95 % interval, for all countries together.")


class PreferredProduct(Record):
    """A product that is more frequent among members than among all customers, beyond chance.

    Members who buy many products prefer many so. Where a product is distinctive, shares are of choices instead (each
    product of each customer is one), so that it does not matter how many products members buy.
    """

    product: str
    description: str | None
    customers: int = Field(description="Members who bought it.")
    share: float = Field(description="Of members; of members' choices where the product is distinctive.")
    lift: float = Field(description="Over the same share among all customers.")
    lift_at_least: float = Field(description="Low end of the lift's 95 % interval, for all products together.")


class Habits(Record):
    """How members typically buy. An order is one invoice, or one moment where lines have no invoice number.

    Orders count on the weekday and in the hour of their first line, by the clock of the data. Money is in the data's
    currency, before returns.
    """

    orders: int = Field(description="Members' orders.")
    lines_per_order: Spread
    units_per_order: Spread
    products_per_order: Spread | None = Field(description="Different ones; null where lines name no products.")
    order_value: Spread
    orders_by_weekday: tuple[int, ...] = Field(min_length=7, max_length=7, description="From Monday to Sunday.")
    best_weekday: BestWeekday
    orders_by_hour: tuple[int, ...] | None = Field(
        min_length=24, max_length=24, description="From 0 to 23; null where the data has dates without times."
    )
    best_hour: BestHour | None = Field(description="Null where the data has dates without times.")
    preferred_countries: tuple[PreferredCountry, ...] = Field(description="The most certain lift first.")
    preferred_products: tuple[PreferredProduct, ...] = Field(description="The most certain lift first.")
    distinctive_products: tuple[PreferredProduct, ...] = Field(
        description="More frequent among members' choices, however many products they buy; the most certain lift first."
    )
