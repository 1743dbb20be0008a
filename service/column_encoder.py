"""Answers to many customers as JSON, put together column by column: the same answers as one by one."""

from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np

from models.outlook import Decays, NextSegments
from models.scorer import Placements
from service.answer_encoder import CONTRIBUTION_DECIMALS, NO_DECAY, SHARE_DECIMALS, text_of, utc_text
from service.decided import DecidedColumns
from service.forms.checked_columns import CheckedColumns
from service.number_texts import number_texts
from service.served_model import ServedModel

Texts = Sequence[str]
PIECES = 3  # of an answer


class ColumnEncoder:
    """Encodes `AnswerRecord`s of one model, whose features are numbers, for a third of what they cost one by one: a
    column of numbers becomes texts at once, and what depends on the segment alone was encoded beforehand."""

    def __init__(self, served: ServedModel) -> None:
        self._advice, self._encoder, self._explainer = served.advice, served.encoder, served.explainer
        self._ranges = served.model.manifest.ranges
        self._measures = [typical.measure for typical in served.explainer.typical[0]]  # the same in every segment

    def encode(self, decided: DecidedColumns, openings: Iterable[str], closing: str) -> list[bytes]:
        """The answers as pieces to be joined, three each: an opening and the answer up to the recommendation; that,
        which customers have in common and is not copied here; the rest, and the closing. Of somebody in `wrong` they
        mean nothing. Bytes, because to encode millions of characters at once costs more than all else here."""
        customers, placed, to_runner_up = decided.customers, decided.placed, self._encoder.to_runner_up
        nearest, contributions = placed.nearest.tolist(), _contributions(placed)
        heads = zip(
            openings,
            [f'"{one}"' for one in decided.ids] if decided.ids else ["null"] * len(customers),
            customers.ids,
            _moments(customers),
            [self._encoder.placed[here][other] for here, other in zip(nearest, placed.second.tolist(), strict=True)],
            number_texts(np.array(decided.confidence)),
            [round((1.0 - sure) * to_runner_up, SHARE_DECIMALS) for sure in decided.confidence],
            self._reasons(customers, placed, contributions),
            [self._encoder.contributions % row for row in zip(*contributions, strict=True)],
            number_texts(np.round(np.maximum(placed.contributions.sum(axis=1), 0.0), CONTRIBUTION_DECIMALS)),
            self._decays(decided.decays(), len(customers)),
            self._next_segments(decided.next_segments(), len(customers)),
            self._outside(customers),
            strict=False,
        )
        pieces = [b""] * (PIECES * len(customers))
        pieces[0::PIECES] = [
            (
                f'{opening}{{"assignment_id":{assignment_id},"customer_id":{text_of(customer_id)},"as_of":"{as_of}",'
                f"{before}{sure}{between}{sure}{after}{rest!r}}}],"
                f'"reasons":[{reasons}],"contributions":{{{shares}}},"margin":{margin},{decay}'
                f'"next_segment":{following},"outside_training":{outside},"recommendation":'
            ).encode()
            for opening, assignment_id, customer_id, as_of, (before, between, after), sure, rest, reasons, shares,
                margin, decay, following, outside
            in heads
        ]  # fmt: skip
        pieces[1::PIECES] = self._advice.of_customers(nearest, customers.ids, customers.known)
        pieces[2::PIECES] = [
            f',"features":{features},"ignored":{{}}}}{closing}'.encode() for features in customers.described
        ]
        return pieces

    def _reasons(self, customers: CheckedColumns, placed: Placements, contributions: Sequence[Texts]) -> Texts:
        """Feature by feature: of each only the customers for whose segment it speaks."""
        order, speaking = self._explainer.strongest_of_many(placed.contributions)
        said = np.full(order.shape, "", dtype=object)
        for index, measure in enumerate(self._measures):
            rows, ranks = np.nonzero((order == index) & speaking)
            phrases = [of_segment[index] for of_segment in self._encoder.phrases]
            values = customers.values[rows, index]
            said[rows, ranks] = [
                f"{before_value}{text}{before_contribution}{contributions[index][row]}"
                f"{before_words}{measure(value)}{after_words}"
                for row, (before_value, before_contribution, before_words, after_words), text, value in zip(
                    rows.tolist(),
                    [phrases[here] for here in placed.nearest[rows].tolist()],
                    number_texts(values),
                    values.tolist(),
                    strict=True,
                )
            ]
        return [",".join(filter(None, reasons)) for reasons in said.tolist()]

    def _decays(self, decays: Decays | None, count: int) -> Texts:
        if decays is None:
            return [NO_DECAY] * count
        told = {(0, index): NO_DECAY for index in range(len(self._encoder.names))}
        places = list(zip(decays.on.tolist(), decays.becomes.tolist(), strict=True))
        for on, becomes in set(places) - told.keys():
            told[on, becomes] = self._encoder.decay(date.fromordinal(on), becomes)
        return [told[place] for place in places]

    def _next_segments(self, following: NextSegments | None, count: int) -> Texts:
        if following is None:
            return ["null"] * count
        return [self._encoder.following(*one) if one[0] or one[3] else "null" for one in following.rows()]

    def _outside(self, customers: CheckedColumns) -> Texts:
        beyond = np.zeros(len(customers), dtype=np.bool_)
        for name, column in customers.known.items():
            low, high = self._ranges.get(name, (-np.inf, np.inf))
            beyond |= (column < low) | (column > high)
        texts = ["[]"] * len(customers)
        for row in np.flatnonzero(beyond).tolist():
            known = {name: float(column[row]) for name, column in customers.known.items()}
            texts[row] = self._encoder.outside({name: value for name, value in known.items() if value == value})
        return texts


def _contributions(placed: Placements) -> list[list[str]]:
    """A column of texts per feature."""
    return [number_texts(column) for column in np.round(placed.contributions, CONTRIBUTION_DECIMALS).T]


def _moments(customers: CheckedColumns) -> Texts:
    told = {moment: utc_text(moment) for moment in set(customers.moments)}
    return [told[moment] for moment in customers.moments]
