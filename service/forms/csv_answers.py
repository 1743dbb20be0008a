"""Answers as CSV (RFC 4180), a row per item."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import repeat
from typing import Any

from service.answer_encoder import utc_text
from service.decided import Decided, DecidedColumns, DecidedItems
from service.forms.flat_answer import COLUMNS, FlatAnswer, flat, problem_text
from service.forms.form import Form
from service.served_model import ServedModel


class CsvAnswers:
    """A header, then a `FlatAnswer` a row."""

    media_type = f"{Form.CSV.value}; charset=utf-8"
    opening = (",".join(COLUMNS) + "\r\n").encode()
    between = b""

    def __init__(self, served: ServedModel) -> None:
        self._ids = [one for one, _ in served.names]
        self._names = [name for _, name in served.names]
        self._products = served.products

    def part(self, start: int, decided: Decided) -> Sequence[bytes]:
        text = io.StringIO()
        rows = csv.writer(text)
        if isinstance(decided, DecidedColumns):
            rows.writerows(self._of_columns(start, decided))
        else:
            rows.writerows(_of_items(start, decided))
        return [text.getvalue().encode()]

    def closing(self, assigned: int, failed: int) -> bytes:
        return b""

    def _of_columns(self, start: int, decided: DecidedColumns) -> Sequence[Sequence[Any]]:
        customers, placed, decays = decided.customers, decided.placed, decided.decays()
        nearest, second = placed.nearest.tolist(), placed.second.tolist()
        moments = {moment: utc_text(moment) for moment in set(customers.moments)}
        on: list[int] = [] if decays is None else decays.on.tolist()
        days = {day: date.fromordinal(day) if day else None for day in set(on)}
        becomes = [] if decays is None else decays.becomes.tolist()
        rows: list[Sequence[Any]] = list(
            zip(
                range(start, start + len(customers)),
                customers.ids,
                decided.ids or repeat(None),
                [moments[moment] for moment in customers.moments],
                repeat(decided.served.model.version),
                [self._ids[index] for index in nearest],
                [self._names[index] for index in nearest],
                decided.confidence,
                [self._ids[index] for index in second],
                [self._names[index] for index in second],
                [days[day] for day in on] or repeat(None),
                [self._ids[index] if day else None for day, index in zip(on, becomes, strict=True)] or repeat(None),
                [self._products[index] for index in nearest],
                repeat(None),
            )
        )
        for row, error in decided.wrong.items():
            rows[row] = FlatAnswer(start + row, problem=problem_text(error))
        return rows


def _of_items(start: int, decided: DecidedItems) -> Iterator[Sequence[Any]]:
    for index, one in enumerate(decided.items, start):
        answer = flat(index, one, decided.served)
        moment = answer.as_of and utc_text(answer.as_of)  # CSV has no moments
        yield tuple({**answer._asdict(), "as_of": moment}.values())
