"""One customer by transactions, as usually sent: a subset of what a `SegmentRequest` may be, decoded in one pass."""

from typing import Annotated

import msgspec

from service.request import LARGEST_LINE, LONGEST_TEXT

_Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]
_Amount = Annotated[float, msgspec.Meta(ge=-LARGEST_LINE, le=LARGEST_LINE)]


class SentTransaction(msgspec.Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    """A `Transaction` whose time is still text. The fields have the order of a `Line`."""

    invoice_no: _Text | None = None
    stock_code: _Text | None = None
    quantity: _Amount
    invoice_date: str
    unit_price: _Amount
    country: _Text | None = None
    description: _Text | None = None


class SentPurchases(msgspec.Struct, forbid_unknown_fields=True):
    """A `SegmentRequest` with transactions, whose times are still text."""

    customer_id: str | int
    transactions: list[SentTransaction]
    as_of: str | None = None
    features: None = None
