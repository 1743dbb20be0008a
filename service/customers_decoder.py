"""The quick way to decode many usual requests with features, to columns; what is unusual is left to the documented
way."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from models.model import SegmentationModel
from service.forms.sent_columns import SentColumns
from service.request import plain_moment
from service.strict_json import may_repeat_keys

MOST_MOMENTS = 16_384


class CustomersDecoder:
    """Decodes lists, or lines, of which every request is of the usual form, in less time."""

    def __init__(self, model: SegmentationModel) -> None:
        """`model` is of transactions: its features are numbers."""
        deciding = set(model.features)
        self._deciding = deciding
        self._names = [*model.features, *(name for name in model.described_by if name not in deciding)]
        # NaN, which is no JSON, is what was not sent.
        fields: list[Any] = [(name, float) if name in deciding else (name, float, math.nan) for name in self._names]
        features = msgspec.defstruct("Features", fields, forbid_unknown_fields=True, gc=False)
        customer = msgspec.defstruct(
            "Customer",
            [
                ("customer_id", str | int),
                ("features", features),
                ("as_of", str | None | UnsetType, UNSET),
                ("transactions", None | UnsetType, UNSET),
            ],
            forbid_unknown_fields=True,
            gc=False,
        )
        self._list = msgspec.json.Decoder(list[customer])  # type: ignore[valid-type]  # known only when a model is loaded
        self._lines = msgspec.json.Decoder(customer)

    def decode(self, body: bytes) -> SentColumns | None:
        """The customers of a JSON list, one at least; None for what is not of the usual form: it may be wrong, and it
        may be right in another way."""
        try:
            return self._columns(self._list.decode(body), body)
        except (msgspec.MsgspecError, ValueError):
            return None

    def decode_lines(self, lines: Sequence[bytes]) -> SentColumns | None:
        """The same of a JSON object a line."""
        try:
            return self._columns(list(map(self._lines.decode, lines)), b"".join(lines))
        except (msgspec.MsgspecError, ValueError):
            return None

    def _columns(self, customers: Sequence[Any], text: bytes) -> SentColumns | None:
        if not customers:
            return None
        rows = map(msgspec.structs.astuple, [one.features for one in customers])
        count = len(customers) * len(self._names)
        table = np.fromiter(chain.from_iterable(rows), dtype=np.float64, count=count).reshape(-1, len(self._names))
        moments = [one.as_of for one in customers]
        unsent = moments.count(UNSET) + [one.transactions for one in customers].count(UNSET)
        if may_repeat_keys(text, 4 * len(customers) - unsent + int(np.count_nonzero(~np.isnan(table)))):
            return None
        features: Mapping[str, Any] = {
            name: np.ascontiguousarray(column)
            for name, column in zip(self._names, table.T, strict=True)
            if name in self._deciding or not np.isnan(column).all()
        }
        told = [None if moment is None or moment is UNSET else moment_of(moment) for moment in moments]
        return SentColumns([one.customer_id for one in customers], told if any(told) else None, features)


@lru_cache(MOST_MOMENTS)
def moment_of(text: str) -> datetime:
    """As `plain_moment`, remembered: many customers of a batch have the same. Raises ValueError."""
    return plain_moment(text)
