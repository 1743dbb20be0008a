"""The conventions of one shop's data: decided when training reads it, stored in the model, applied by the service."""

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

StatusMeaning: TypeAlias = Literal["purchase", "no_purchase", "return"]
CANCELLATION_PREFIX = "C"
ADJUSTMENT_PREFIX = "A"
_SEPARATORS = re.compile(r"[\s_\-–/]+")


class Conventions(BaseModel):
    """How a shop writes what is no purchase. Codes and prefixes are in upper case, statuses and ids as compared.

    `cancellation_prefixes` and `adjustment_prefixes` begin invoice numbers. `non_product_codes` and
    `non_product_prefixes` are of product codes; `discount_codes` are product codes whose negative lines lower an order.
    `duplicates` tells whether a line that equals an earlier one was exported twice. `statuses` is the meaning of each
    status (case-folded); `placeholders` are customer ids that stand for no customer. Lines before `earliest` (seconds
    UTC) are wrong dates. `currency` is the one currency of all amounts, None if the data does not say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cancellation_prefixes: tuple[str, ...] = ()
    adjustment_prefixes: tuple[str, ...] = ()
    non_product_codes: tuple[str, ...] = ()
    non_product_prefixes: tuple[str, ...] = ()
    discount_codes: tuple[str, ...] = ()
    duplicates: bool = False
    statuses: dict[str, StatusMeaning] = {}
    placeholders: tuple[str, ...] = ()
    earliest: float | None = None
    currency: str | None = None

    @cached_property
    def rule_by_letter(self) -> Mapping[str, str]:
        """The cleaning rule of an invoice number by its first letter, in upper and lower case."""
        letters = dict.fromkeys(self.cancellation_prefixes, "cancellation")
        letters |= dict.fromkeys(self.adjustment_prefixes, "adjustment")
        return {form: rule for letter, rule in letters.items() for form in (letter.upper(), letter.lower())}


@lru_cache(4_096)
def status_key(written: str) -> str:
    """A status as it is compared: `Pending_Payment` is `pending payment`."""
    return " ".join(_SEPARATORS.sub(" ", written.casefold()).split())
