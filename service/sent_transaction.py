"""A line of one of the customer's invoices, as usually sent: a subset of what a `Transaction` may be."""

from typing import Annotated

import msgspec

from service.request import LARGEST_LINE, LONGEST_TEXT

SentText = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
_Amount = Annotated[float, msgspec.Meta(ge=-LARGEST_LINE, le=LARGEST_LINE)]


class SentTransaction(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """A `Transaction` whose time is still text. The fields have the order of a `Line`."""

    invoice_no: SentText | None = None
    stock_code: SentText | None = None
    quantity: _Amount
    invoice_date: str
    unit_price: _Amount
    country: SentText | None = None
    description: SentText | None = None
    status: SentText | None = None
