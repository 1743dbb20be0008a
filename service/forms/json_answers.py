"""Answers as JSON: one `BatchAnswer`, or one `BatchItem` a line."""

from collections.abc import Sequence

import numpy as np

from service.assigned import Assigned
from service.assigning import answer_json
from service.column_encoder import Column, ColumnEncoder
from service.decided import Decided, DecidedColumns, Remembered
from service.forms.form import Form
from service.number_texts import number_bytes
from service.problem import item_problem
from service.served_model import ServedModel

# Answers in one piece, so that it has less than what is taken from the system and given back each time
# (service/server/runtime_tuning.py): all of it as fresh pages of 4 kB was a fifth of a batch's time.
TOGETHER = 200


class _ItemAnswers:
    """`BatchItem`s with `comma` between them and `end` after each."""

    comma = end = ""

    def __init__(self, served: ServedModel) -> None:
        self._columns = ColumnEncoder(served)

    def part(self, start: int, decided: Decided) -> Sequence[bytes]:
        if isinstance(decided, DecidedColumns):
            return self._of_columns(start, decided)
        items = [f"{_item(index, one, decided.served)}{self.end}" for index, one in enumerate(decided.items, start)]
        return [self.comma.join(items).encode()]

    def _of_columns(self, start: int, decided: DecidedColumns) -> Sequence[bytes]:
        commas = [b"", *[self.comma.encode()] * (decided.size - 1)]
        places = number_bytes(np.arange(start, start + decided.size))
        opening: list[Column] = [commas, b'{"index":', places, b',"answer":']
        pieces, width = self._columns.encode(decided, opening, f"}}{self.end}".encode())
        for row, error in decided.wrong.items():
            problem = f"{_problem(start + row, error)}{self.end}".encode()
            pieces[width * row : width * (row + 1)] = [commas[row], problem, *[b""] * (width - 2)]
        step = width * TOGETHER
        return [b"".join(pieces[at : at + step]) for at in range(0, len(pieces), step)]


class JsonAnswers(_ItemAnswers):
    """A `BatchAnswer` whose counts come last: they are known when everything else was sent."""

    media_type = Form.JSON.value
    opening = b'{"results":['
    between = b","
    comma = ","

    def closing(self, assigned: int, failed: int) -> bytes:
        return b'],"assigned":%d,"failed":%d}' % (assigned, failed)


class NdjsonAnswers(_ItemAnswers):
    """A `BatchItem` a line."""

    media_type = Form.NDJSON.value
    opening = between = b""
    end = "\n"

    def closing(self, assigned: int, failed: int) -> bytes:
        return b""


def _item(index: int, one: Assigned | Remembered | Exception, served: ServedModel) -> str:
    if isinstance(one, Assigned):
        return f'{{"index":{index},"answer":{answer_json(one, served)}}}'
    if isinstance(one, Remembered):
        return f'{{"index":{index},"answer":{answer_json(*one)}}}'
    return _problem(index, one)


def _problem(index: int, error: Exception) -> str:
    problem = item_problem(error).model_dump_json(exclude_none=True)
    return f'{{"index":{index},"problem":{problem}}}'
