"""The quick way to decode the usual request; what is unusual in it is left to the documented way."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import astuple

from models.features import FEATURE, LARGEST, MAIN_COUNTRY
from models.line import Line
from models.model import SegmentationModel
from models.table_reading import TableReading
from service.request import plain_moment
from service.sent_transaction import SentText, SentTransaction

MOST_MOMENTS = 16_384  # whose seconds are remembered: the lines of an invoice have one, and shops send days often


class DecodedRequest(NamedTuple):
    """One customer: what case_of asks of a `SegmentRequest`."""

    customer_id: str | int
    as_of: datetime | None
    features: Mapping[str, float | str | None] | None
    transactions: Sequence[Line] | None

    def lines(self) -> Sequence[Line]:
        """The transactions as cleaning and folding take them."""
        return self.transactions or ()


class RequestDecoder:
    """Decodes a subset of what a `SegmentRequest` may be, to the same values, in a fraction of the time."""

    def __init__(self, model: SegmentationModel, max_transactions: int) -> None:
        """`model` is of transactions: its features have names known here, and are numbers."""
        self._most = max_transactions
        self._reading = model.manifest.table or TableReading(id=None)
        self._names = [*(record.name for record in model.manifest.features), MAIN_COUNTRY]
        request = msgspec.defstruct(
            "Request",
            [
                ("customer_id", str | int),
                ("features", _features(model) | None, None),
                ("transactions", list[SentTransaction] | None, None),
                ("as_of", str | None, None),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(request).decode

    def decode(self, body: bytes) -> DecodedRequest | None:
        """None for what is not of the usual form: it may be wrong, and it may be right in another way."""
        try:
            sent = self._decode(body)
            as_of = None if sent.as_of is None else plain_moment(sent.as_of)
            features: dict[str, float | str | None] | None = None
            if sent.features is not None:
                told = zip(self._names, astuple(sent.features), strict=True)
                features = {name: value for name, value in told if value is not UNSET}
                if self._reading.is_missing(features.get(MAIN_COUNTRY)):
                    features[MAIN_COUNTRY] = None
            transactions: list[Line] | None = None
            if sent.transactions is not None:
                if not 1 <= len(sent.transactions) <= self._most:
                    return None
                transactions = _lines(sent.transactions)
        except (msgspec.MsgspecError, ValueError):
            return None
        return DecodedRequest(sent.customer_id, as_of, features, transactions)


def _features(model: SegmentationModel) -> Any:
    """The type of a model's features by name, those that decide required, each with its bounds."""
    fields: list[Any] = []
    for record in model.manifest.features:
        known = FEATURE.get(record.name)
        low, high = (known.low, known.high) if known else (-LARGEST, LARGEST)
        amount: Any = Annotated[float, msgspec.Meta(ge=low, le=high)]
        fields.append(
            (record.name, amount) if record.clusters else (record.name, amount | None | msgspec.UnsetType, UNSET)
        )
    fields.append((MAIN_COUNTRY, SentText | None | msgspec.UnsetType, UNSET))
    return msgspec.defstruct("Features", fields, kw_only=True, forbid_unknown_fields=True, gc=False)


def _lines(transactions: Sequence[SentTransaction]) -> list[Line]:
    """The same as `Transaction.line` makes, for a third of what a call and a constructor per line cost."""
    new: Callable[..., Line] = tuple.__new__
    lines = []
    for sent in transactions:
        invoice, product, quantity, date, price, country, description = astuple(sent)
        fields = (
            _stripped(invoice), _stripped(product), quantity, _seconds(date), price, _stripped(country),
            _stripped(description),
        )  # fmt: skip
        lines.append(new(Line, fields))
    return lines


def _stripped(text: str | None) -> str | None:
    return (text.strip() or None) if text else None


@lru_cache(MOST_MOMENTS)
def _seconds(text: str) -> float:
    return plain_moment(text).timestamp()
