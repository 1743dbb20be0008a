"""The rules that decide which transaction lines count as purchases, which as returns, and which not at all.

The rules stand here once, as data, in the order they are asked; a line leaves at the first that holds.
`training.cleaning` says the same over millions of lines in an engine; a test on real data keeps both equal.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from models.line import Line


@dataclass(frozen=True, slots=True)
class Rule:
    """Why a line is not a purchase. Lines of a rule with `returns` still lower net revenue as returns."""

    name: str
    reason: str
    returns: bool = False


RULES: tuple[Rule, ...] = (
    Rule("unreadable", "a quantity, price or date is missing or cannot be read"),
    Rule("no_customer", "nobody to assign the purchase to"),
    Rule("after_as_of", "dated after the moment the features are computed for"),
    Rule("cancellation", "the invoice number starts with C: goods came back", returns=True),
    Rule("adjustment", "the invoice number starts with A: book-keeping, not a purchase"),
    Rule("quantity_not_positive", "quantity is zero or less: a return or a stock correction", returns=True),
    Rule("price_not_positive", "price is zero or less: a gift, a write-off or a correction"),
    Rule("duplicate", "every field equals an earlier line's: exported twice"),
    Rule("non_product", "the code stands for postage, fees, discounts or the like, not for a product"),
)
RULE = {rule.name: rule for rule in RULES}
BY_LETTER = {"C": "cancellation", "c": "cancellation", "A": "adjustment", "a": "adjustment"}
MOST_CODES = 16_384  # whose being a product is remembered; a shop has fewer


@dataclass(frozen=True, slots=True)
class NonProducts:
    """Stock codes that are not products; matched without regard to case."""

    codes: Mapping[str, str]
    prefixes: Mapping[str, str]

    def __contains__(self, product: str | None) -> bool:
        if product is None:
            return False
        code = product.strip().upper()
        return code in self.codes or code.startswith(tuple(self.prefixes))


@cache
def non_products() -> NonProducts:
    """The list that ships with the package, `models/non_products.json`."""
    listed = json.loads(files("models").joinpath("non_products.json").read_text("utf-8"))
    return NonProducts(codes=listed["codes"], prefixes=listed["prefixes"])


@lru_cache(MOST_CODES)
def is_non_product(product: str | None) -> bool:
    """Whether the code is on the list that ships with the package."""
    return product in non_products()


def can_be_duplicate(line: Line) -> bool:
    """Whether an equal line means "exported twice".

    Without an invoice number or a product two equal lines may well be two purchases, so they are kept.
    """
    return line.invoice is not None and line.product is not None


def kind(line: Line, as_of: float) -> str | None:
    """The name of the first rule, duplicates and non-products aside, that holds for a line; None is a purchase."""
    invoice, _, quantity, at, price, _, _ = line
    if at > as_of:
        return "after_as_of"
    if invoice and invoice[0] in BY_LETTER:
        return BY_LETTER[invoice[0]]
    if quantity <= 0:
        return "quantity_not_positive"
    if price <= 0:
        return "price_not_positive"
    return None
