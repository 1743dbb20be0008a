"""The conventions of one shop's data: decided when training reads it, stored in the model, applied by the service."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

StatusMeaning: TypeAlias = Literal["purchase", "no_purchase", "return"]
Letter: TypeAlias = Annotated[str, Field(pattern="^[A-Z]$")]
CANCELLATION_PREFIX = "C"
ADJUSTMENT_PREFIX = "A"
_SEPARATORS = re.compile(r"[\s_\-–/]+")
MOST_CODES = 16_384  # product codes whose meaning is remembered; a shop has fewer


class Conventions(BaseModel):
    """How a shop writes what is no purchase. Codes and prefixes are in upper case, statuses and ids as compared.

    An invoice number is a cancellation or an adjustment if one of `cancellation_prefixes` or `adjustment_prefixes`, a
    letter, comes before digits. `non_product_codes` and `non_product_prefixes` are of product codes; `discount_codes`
    are product codes whose negative lines lower an order, and stand for no product either. `duplicates` tells whether a
    line that equals an earlier one was exported twice. `statuses` is the meaning of each status (by `status_key`);
    `placeholders` are customer ids, in lower case, that stand for no customer. Lines before `earliest` (seconds UTC)
    are wrong dates. `currency` is the one currency of all amounts, None if the data does not say.

    Make other conventions by the constructor: `model_copy` takes what was worked out of the old ones along.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cancellation_prefixes: tuple[Letter, ...] = ()
    adjustment_prefixes: tuple[Letter, ...] = ()
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

    @cached_property
    def is_non_product(self) -> Callable[[str | None], bool]:
        """Whether a product code, matched without regard to case, stands for no product."""
        codes = {*self.non_product_codes, *self.discount_codes}
        prefixes = self.non_product_prefixes

        @lru_cache(MOST_CODES)
        def stands_for_no_product(product: str | None) -> bool:
            if product is None:
                return False
            code = product.strip().upper()
            return code in codes or code.startswith(prefixes)

        return stands_for_no_product

    def is_discount(self, product: str | None) -> bool:
        """Whether a product code, matched without regard to case, stands for a discount on an order."""
        return product is not None and product.strip().upper() in self.discount_codes

    @cached_property
    def placeholder_ids(self) -> frozenset[str]:
        """The placeholders, to look up an id in lower case."""
        return frozenset(self.placeholders)

    def is_placeholder(self, customer: str) -> bool:
        """Whether a customer id stands for no customer."""
        return customer.lower() in self.placeholder_ids

    def meaning(self, status: str) -> StatusMeaning | None:
        """What a status says of its line; None if the shop's data had no such status."""
        return self.statuses.get(status_key(status))


def _former() -> Conventions:
    listed = json.loads(files("models").joinpath("non_products.json").read_text("utf-8"))
    return Conventions(
        cancellation_prefixes=(CANCELLATION_PREFIX,),
        adjustment_prefixes=(ADJUSTMENT_PREFIX,),
        non_product_codes=tuple(listed["codes"]),
        non_product_prefixes=tuple(listed["prefixes"]),
        duplicates=True,
    )


# What was assumed of every shop before its conventions were decided from its data: models of that time have them.
FORMER_CONVENTIONS = _former()


@lru_cache(4_096)
def status_key(written: str) -> str:
    """A status as it is compared: `Pending_Payment` is `pending payment`."""
    return " ".join(_SEPARATORS.sub(" ", written.casefold()).split())
