"""Customers as one JSON object a line."""

from collections.abc import Iterable, Iterator

from service.errors import InvalidJson, InvalidRequest
from service.forms.form import MOST_LINE_BYTES
from service.forms.lines import LineSplitter, SentLine, too_long
from service.forms.reader import Chunk, Item, in_chunks
from service.served_model import ServedModel
from service.strict_decoder import BOM


class NdjsonReader:
    """Reads lines as `POST /segment` reads bodies. Lines with nothing on them are passed over."""

    def __init__(self, served: ServedModel, size: int, most_blank: int) -> None:
        self._served = served
        self._size = size
        self._lines = LineSplitter(MOST_LINE_BYTES, most_blank)

    def feed(self, data: bytes) -> Iterator[Chunk]:
        return self._chunks(self._lines.feed(data))

    def end(self) -> Iterator[Chunk]:
        return self._chunks(self._lines.end())

    def _chunks(self, lines: Iterable[SentLine]) -> Iterator[Chunk]:
        said = (_without_bom(line) for line in lines if line.content is None or line.content.strip())
        for chunk in in_chunks(said, self._size):
            contents = [line.content for line in chunk if line.content is not None]
            sent = self._served.decode_lines(contents) if len(contents) == len(chunk) else None
            yield [self._item(line) for line in chunk] if sent is None else sent

    def _item(self, line: SentLine) -> Item:
        if line.content is None:
            return too_long(line.number, MOST_LINE_BYTES)
        try:
            return self._served.decode(line.content)
        except InvalidJson as error:
            return InvalidJson(f"line {line.number:,} {error.faults[0].detail}")
        except InvalidRequest as error:
            return error.with_traceback(None)  # which would keep what was decoded


def _without_bom(line: SentLine) -> SentLine:
    if line.number > 1 or line.content is None:
        return line
    return line._replace(content=line.content.removeprefix(BOM))
