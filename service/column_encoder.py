"""Answers to many customers as JSON, put together column by column: the same answers as one by one."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.forecast.transitions import MOST_ORDERS, Decays, NextSegments
from models.rounding import rounded
from models.scorer import Placements
from models.wording import measurer_of_many
from service.answer_encoder import (
    BY_ORDERS,
    BY_SPEND,
    CONTRIBUTION_DECIMALS,
    NO_DECAY,
    ORDER_VALUE,
    text_of,
    utc_text,
)
from service.decided import DecidedColumns
from service.forms.checked_columns import CheckedColumns
from service.number_texts import SHARE_DECIMALS, number_bytes
from service.served_model import ServedModel

Each = Sequence[bytes]  # a piece of each of n answers
Column = Each | bytes  # or one that is the same in all
Pieces = NDArray[np.object_]  # bytes
NOTHING_SAID = ("", "", "", "")  # where a customer has fewer reasons than others


class ColumnEncoder:
    """Encodes `AnswerRecord`s of one model, whose features are numbers, for a fourth of what they cost one by one.

    Answers are cut into pieces: what depends on the segment alone, or on it and a feature, was encoded beforehand;
    numbers become texts a column at a time; and all are joined once.
    """

    def __init__(self, served: ServedModel) -> None:
        encoder = served.encoder
        self._advice, self._encoder, self._explainer = served.advice, encoder, served.explainer
        self._ranges = served.model.manifest.ranges
        features = [typical.feature for typical in served.explainer.typical[0]]  # the same in every segment
        self._measures = [measurer_of_many(feature) for feature in features]
        self._placed = [_pieces([[pair[cut] for pair in row] for row in encoder.placed]) for cut in range(3)]
        phrases = [[*of_segment, NOTHING_SAID] for of_segment in encoder.phrases]
        self._phrases = [_pieces([[phrase[cut] for phrase in row] for row in phrases]) for cut in range(4)]
        self._more = _pieces([[f",{said}" if said else "" for said, *_ in row] for row in phrases])
        self._contributions = [one.replace("%%", "%").encode() for one in encoder.contributions.split("%s")]
        ways = [f'{{"by_orders":{BY_ORDERS}{orders}{ORDER_VALUE}' for orders in range(1, MOST_ORDERS + 1)]
        self._orders = _pieces(['{"by_orders":null', *ways, "null"])
        self._leads_to = _pieces([[""] * len(encoder.leads_to), encoder.leads_to])
        self._spends = _pieces([',"by_spend":null}', f',"by_spend":{BY_SPEND}', ""])
        self._closes = _pieces(["", "}"])

    def encode(self, decided: DecidedColumns, opening: Sequence[Column], closing: bytes) -> tuple[list[bytes], int]:
        """The answers as pieces to be joined, and how many there are to an answer: `opening` is before each and
        `closing` after it. Of somebody in `wrong` they mean nothing."""
        customers, placed, nearest = decided.customers, decided.placed, decided.placed.nearest
        confidence = np.array(decided.confidence)
        sure = number_bytes(confidence)
        rest = rounded((1.0 - confidence) * self._encoder.to_runner_up, SHARE_DECIMALS)
        contributions = [
            number_bytes(rounded(np.ascontiguousarray(column), CONTRIBUTION_DECIMALS) + 0.0)  # what rounds to -0 is 0
            for column in placed.contributions.T
        ]
        margin = rounded(np.maximum(placed.contributions.sum(axis=1), 0.0), CONTRIBUTION_DECIMALS)
        before, between, after = (cut[nearest, placed.second].tolist() for cut in self._placed)
        columns: list[Column] = [
            *opening,
            *([b'{"assignment_id":"', _encoded(decided.ids), b'","customer_id":'] if decided.ids else
              [b'{"assignment_id":null,"customer_id":']),
            _encoded([text_of(one) for one in customers.ids]),
            _moments(customers),
            before, sure, between, sure, after, number_bytes(rest),
            b'}],"reasons":[', *self._reasons(customers, placed, contributions),
            b'],"contributions":{', *self._shares(contributions),
            b'},"margin":', number_bytes(margin), b",",
            *self._decays(decided.decays()),
            *self._next_segments(decided.next_segments()),
            b',"outside_training":', self._outside(customers),
            b',"recommendation":', self._advice.of_customers(nearest, customers.ids, customers.known),
            b',"features":', _encoded(customers.described), b',"ignored":{}}' + closing,
        ]  # fmt: skip
        columns = _merged(columns)
        pieces = [column if isinstance(column, bytes) else b"" for column in columns] * len(customers)
        for place, column in enumerate(columns):
            if not isinstance(column, bytes):
                pieces[place :: len(columns)] = column
        return pieces, len(columns)

    def _reasons(self, customers: CheckedColumns, placed: Placements, contributions: Sequence[Each]) -> list[Column]:
        """One reason after the other, each a piece of the customers' who have so many."""
        order, speaking = self._explainer.strongest_of_many(placed.contributions)
        silent = len(self._measures)
        order = np.where(speaking, order, silent)
        rows = np.arange(len(order))
        values, words = (np.full((silent + 1, len(order)), b"", dtype=object) for _ in range(2))
        shares = np.full((silent + 1, len(order)), b"", dtype=object)
        for index, measure in enumerate(self._measures):
            theirs = np.flatnonzero((order == index).any(axis=1))
            numbers = customers.values[theirs, index]
            values[index, theirs] = number_bytes(numbers)
            words[index, theirs] = _encoded(measure(numbers))
            shares[index] = contributions[index]
        said: list[Column] = []
        for rank in range(order.shape[1]):
            feature, of_phrase = order[:, rank], (placed.nearest, order[:, rank])
            before_value, before_contribution, before_words, after_words = (cut[of_phrase] for cut in self._phrases)
            said += [
                (self._more[of_phrase] if rank else before_value).tolist(),
                values[feature, rows].tolist(),
                before_contribution.tolist(),
                shares[feature, rows].tolist(),
                before_words.tolist(),
                words[feature, rows].tolist(),
                after_words.tolist(),
            ]
        return said

    def _shares(self, contributions: Sequence[Each]) -> list[Column]:
        said: list[Column] = []
        for name, column in zip(self._contributions, contributions, strict=False):
            said += [name, column]
        return said

    def _decays(self, decays: Decays | None) -> list[Column]:
        if decays is None:
            return [NO_DECAY.encode()]
        segments = len(self._encoder.names)
        places, which = np.unique(decays.on * segments + decays.becomes, return_inverse=True)
        told = [divmod(place, segments) for place in places.tolist()]
        texts = [self._encoder.decay(date.fromordinal(on), becomes) if on else NO_DECAY for on, becomes in told]
        return [_pieces(texts)[which].tolist()]

    def _next_segments(self, following: NextSegments | None) -> list[Column]:
        if following is None:
            return [b'"next_segment":null']
        by_orders, by_spend = following.orders > 0, following.spend > 0
        neither = ~(by_orders | by_spend)
        orders = np.where(neither, MOST_ORDERS + 1, following.orders)
        spends = np.where(neither, 2, by_spend)
        return [
            b'"next_segment":',
            self._orders[orders].tolist(),
            _where(by_orders, number_bytes(following.order_value)),
            self._leads_to[by_orders.astype(np.intp), following.by_orders].tolist(),
            self._spends[spends].tolist(),
            _where(by_spend, number_bytes(following.spend)),
            self._leads_to[by_spend.astype(np.intp), following.by_spend].tolist(),
            self._closes[by_spend.astype(np.intp)].tolist(),
        ]

    def _outside(self, customers: CheckedColumns) -> Each:
        beyond = np.zeros(len(customers), dtype=np.bool_)
        for name, column in customers.known.items():
            low, high = self._ranges.get(name, (-np.inf, np.inf))
            beyond |= (column < low) | (column > high)
        texts = [b"[]"] * len(customers)
        for row in np.flatnonzero(beyond).tolist():
            known = {name: float(column[row]) for name, column in customers.known.items()}
            texts[row] = self._encoder.outside(
                {name: value for name, value in known.items() if value == value}
            ).encode()
        return texts


def _merged(columns: Sequence[Column]) -> list[Column]:
    """The same, where pieces that are the same in all answers are one with those before and after."""
    merged: list[Column] = []
    for column in columns:
        if isinstance(column, bytes) and merged and isinstance(before := merged[-1], bytes):
            merged[-1] = before + column
        else:
            merged.append(column)
    return merged


def _pieces(texts: Any) -> Pieces:
    """Texts, in lists of lists, as an array of bytes."""
    array = np.array(texts, dtype=object)
    array[...] = np.vectorize(str.encode, otypes=[object])(array)
    return array


def _encoded(texts: Sequence[str]) -> Each:
    """Each text, none of which has a line break, as JSON never does."""
    return "\n".join(texts).encode().split(b"\n") if texts else []


def _where(holds: NDArray[np.bool_], column: Each) -> Each:
    return [one if told else b"" for told, one in zip(holds.tolist(), column, strict=True)]


def _moments(customers: CheckedColumns) -> Each:
    told = {moment: f',"as_of":"{utc_text(moment)}",'.encode() for moment in set(customers.moments)}
    return [told[moment] for moment in customers.moments]
