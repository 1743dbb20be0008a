"""A line of one of the customer's invoices, as usually sent: a subset of what a `Transaction` may be."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from service.request import LARGEST_LINE, LONGEST_TEXT

SentText = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
_Amount = Annotated[float, msgspec.Meta(ge=-LARGEST_LINE, le=LARGEST_LINE)]


class SentTransaction(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """A `Transaction` whose time is still text. The fields have the order of a `Line`. Those not sent are UNSET, which
    is false."""

    invoice_no: SentText | UnsetType | None = UNSET
    stock_code: SentText | UnsetType | None = UNSET
    quantity: _Amount
    invoice_date: str
    unit_price: _Amount
    country: SentText | UnsetType | None = UNSET
    description: SentText | UnsetType | None = UNSET
    status: SentText | UnsetType | None = UNSET
