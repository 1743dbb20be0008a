"""Answers as JSON: one `BatchAnswer`, or one `BatchItem` a line."""

from service.assigned import Assigned
from service.assigning import answer_json
from service.decided import Decided, DecidedItems, Remembered
from service.forms.form import Form
from service.problem import item_problem
from service.served_model import ServedModel


class JsonAnswers:
    """A `BatchAnswer` whose counts come last: they are known when everything else was sent."""

    form = Form.JSON
    media_type = Form.JSON.value
    opening = b'{"results":['
    between = b","

    def part(self, start: int, decided: Decided) -> bytes:
        return ",".join(_items(start, decided)).encode()

    def closing(self, assigned: int, failed: int) -> bytes:
        return b'],"assigned":%d,"failed":%d}' % (assigned, failed)


class NdjsonAnswers:
    """A `BatchItem` a line."""

    form = Form.NDJSON
    media_type = Form.NDJSON.value
    opening = between = b""

    def part(self, start: int, decided: Decided) -> bytes:
        return "".join([f"{item}\n" for item in _items(start, decided)]).encode()

    def closing(self, assigned: int, failed: int) -> bytes:
        return b""


def _items(start: int, decided: Decided) -> list[str]:
    assert isinstance(decided, DecidedItems)  # noqa: S101 (only Arrow is answered by columns)
    return [_item(index, one, decided.served) for index, one in enumerate(decided.items, start)]


def _item(index: int, one: Assigned | Remembered | Exception, served: ServedModel) -> str:
    if isinstance(one, Assigned):
        return f'{{"index":{index},"answer":{answer_json(one, served)}}}'
    if isinstance(one, Remembered):
        return f'{{"index":{index},"answer":{answer_json(*one)}}}'
    problem = item_problem(one).model_dump_json(exclude_none=True)
    return f'{{"index":{index},"problem":{problem}}}'
