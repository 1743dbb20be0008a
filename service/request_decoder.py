"""The quick way to decode the usual request; what is unusual in it is left to the documented way."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.structs import astuple

from models.customer.customer_id import SPACES
from models.features import FEATURE, LARGEST, MAIN_COUNTRY
from models.line import Line
from models.model import SegmentationModel
from models.table_reading import TableReading
from service.request import plain_moment
from service.sent_transaction import SentText, SentTransaction
from service.strict_json import decode_json, may_repeat_keys

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
                ("features", _features(model) | None | msgspec.UnsetType, UNSET),
                ("transactions", list[SentTransaction] | None | msgspec.UnsetType, UNSET),
                ("as_of", str | None | msgspec.UnsetType, UNSET),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(request).decode

    def decode(self, body: bytes) -> DecodedRequest | None:
        """None for what is not of the usual form: it may be wrong, and it may be right in another way. Raises
        InvalidRequest where a key is there twice."""
        try:
            sent = self._decode(body)
            keys = 1 + (sent.features is not UNSET) + (sent.transactions is not UNSET) + (sent.as_of is not UNSET)
            as_of = plain_moment(sent.as_of) if sent.as_of or sent.as_of == "" else None
            features: dict[str, float | str | None] | None = None
            if sent.features:
                told = zip(self._names, astuple(sent.features), strict=True)
                features = {name: value for name, value in told if value is not UNSET}
                keys += len(features)
                if self._reading.is_missing(features.get(MAIN_COUNTRY)):
                    features[MAIN_COUNTRY] = None
            transactions: list[Line] | None = None
            if sent.transactions is not None and sent.transactions is not UNSET:
                if not 1 <= len(sent.transactions) <= self._most:
                    return None
                transactions, of_transactions = _lines(sent.transactions)
                keys += of_transactions
        except (msgspec.MsgspecError, ValueError):
            return None
        if may_repeat_keys(body, keys):
            decode_json(body)
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


def _lines(transactions: Sequence[SentTransaction]) -> tuple[list[Line], int]:
    """The same as `Transaction.line` makes, and the number of keys that were sent."""
    lines = []
    keys = 8 * len(transactions)
    for sent in transactions:
        invoice, product, quantity, date, price, country, description, status = astuple(sent)
        keys -= (
            (invoice is UNSET) + (product is UNSET) + (country is UNSET) + (description is UNSET) + (status is UNSET)
        )
        lines.append(
            Line(
                _stripped(invoice),
                _stripped(product),
                quantity,
                _seconds(date),
                price,
                _stripped(country),
                _stripped(description),
                _stripped(status),
            )
        )
    return lines, keys


def _stripped(text: Any) -> str | None:
    if not text:
        return None
    return (text.strip() if text.isascii() else text.strip(SPACES)) or None  # as `trimmed` does, without its call


@lru_cache(MOST_MOMENTS)
def _seconds(text: str) -> float:
    return plain_moment(text).timestamp()
