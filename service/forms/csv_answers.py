"""Answers as CSV (RFC 4180), a row per item."""

import csv
import io

from service.answer_encoder import utc_text
from service.decided import Decided, DecidedItems
from service.forms.flat_answer import COLUMNS, flat
from service.forms.form import Form


class CsvAnswers:
    """A header, then a `FlatAnswer` a row."""

    media_type = f"{Form.CSV.value}; charset=utf-8"
    by_columns = False
    opening = (",".join(COLUMNS) + "\r\n").encode()
    between = b""

    def part(self, start: int, decided: Decided) -> bytes:
        assert isinstance(decided, DecidedItems)  # noqa: S101 (it is not answered by columns)
        text = io.StringIO()
        rows = csv.writer(text)
        for index, one in enumerate(decided.items, start):
            answer = flat(index, one, decided.served)
            moment = answer.as_of and utc_text(answer.as_of)
            rows.writerow(answer._replace(as_of=moment))  # type: ignore[arg-type]  # as text, where CSV has no moments
        return text.getvalue().encode()

    def closing(self, assigned: int, failed: int) -> bytes:
        return b""
