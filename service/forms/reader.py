"""What reads a form: bytes in, chunks of customers out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar

from service.forms.sent_columns import SentColumns
from service.request import SegmentRequest
from service.request_decoder import DecodedRequest

# A customer as sent, or what is wrong with it.
Item = SegmentRequest | DecodedRequest | Exception
Chunk = Sequence[Item] | SentColumns

T = TypeVar("T")


class Reader(Protocol):
    """Reads one body. Both methods block; they raise InvalidRequest where nothing more can be read of the body."""

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """The customers that are whole with these bytes, in order."""

    def end(self) -> Iterator[Chunk]:
        """The customers that are whole now that nothing follows."""


def parts_of(chunk: Chunk, size: int) -> Iterator[Chunk]:
    """A chunk in chunks of at most `size`."""
    for start in range(0, len(chunk), size):
        yield chunk[start : start + size]


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most `size`."""
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk
