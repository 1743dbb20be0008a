"""The rules that decide which transaction lines count as purchases, which as returns, and which not at all.

The rules stand here once, as data, in the order they are asked; a line leaves at the first that holds. What a shop's
own conventions say, such as the letter of a cancellation, comes from `models.customer.conventions`.
`training.cleaning` says the same over millions of lines in an engine; a test on real data keeps both equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from models.customer.conventions import status_key
from models.line import Line


@dataclass(frozen=True, slots=True)
class Rule:
    """Why a line is not a purchase. Lines of a rule with `returns` still lower net revenue as returns."""

    name: str
    reason: str
    returns: bool = False


RULES: tuple[Rule, ...] = (
    Rule("unreadable", "its quantity, price or date is missing or cannot be read"),
    Rule("no_customer", "it has no customer, or an id that stands for no customer"),
    Rule("implausible_date", "its date is long before all others, as of a missing date"),
    Rule("after_as_of", "its date is after the moment the features are computed for"),
    Rule("status", "its status says that nothing was bought"),
    Rule("cancellation", "its invoice number is that of a cancellation", returns=True),
    Rule("adjustment", "its invoice number is that of a book-keeping entry"),
    Rule("returned_status", "its status says that it was returned or refunded", returns=True),
    Rule("quantity_not_positive", "its quantity is zero or negative: a return or a stock correction", returns=True),
    Rule("negative_price", "its price is negative: a return or a refund", returns=True),
    Rule("price_not_positive", "its price is zero: a gift or a write-off"),
    Rule("duplicate", "it equals an earlier line in every field: it was exported twice"),
    Rule("non_product", "its product code stands for postage, a fee, a discount or the like"),
)
RULE = {rule.name: rule for rule in RULES}
NEGATIVE_VALUE = ("quantity_not_positive", "negative_price")


def can_be_duplicate(line: Line) -> bool:
    """Whether an equal line means "exported twice".

    Without an invoice number or a product two equal lines may well be two purchases, so they are kept.
    """
    return line.invoice is not None and line.product is not None


def kind(
    line: Line, earliest: float | None, as_of: float, statuses: Mapping[str, str], letters: Mapping[str, str]
) -> str | None:
    """The name of the first rule, duplicates and non-products aside, that holds for a line; None is a purchase.

    `earliest`, `statuses` and `letters` (`rule_by_letter`) are of the shop's conventions.
    """
    invoice, _, quantity, at, price, _, _, status = line
    if earliest is not None and at < earliest:
        return "implausible_date"
    if at > as_of:
        return "after_as_of"
    meaning = None if status is None else statuses.get(status_key(status))
    if meaning == "no_purchase":
        return "status"
    if invoice and invoice[0] in letters and invoice[1:].isdecimal() and invoice.isascii():
        return letters[invoice[0]]
    if meaning == "return":
        return "returned_status"
    if quantity <= 0:
        return "quantity_not_positive"
    if price <= 0:
        return "negative_price" if price < 0 else "price_not_positive"
    return None
