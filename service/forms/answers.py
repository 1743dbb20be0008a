"""What writes the answers of a batch in a form."""

from collections.abc import Sequence
from typing import Protocol

from service.decided import Decided


class Answers(Protocol):
    """Writes one body: `opening`, then parts with `between` between them, then `closing`."""

    media_type: str
    opening: bytes
    between: bytes

    def part(self, start: int, decided: Decided) -> Sequence[bytes]:
        """The answers to the items from place `start` on, in one piece or more, to be sent one after another."""

    def closing(self, assigned: int, failed: int) -> bytes:
        """The end, now that it is known how many were assigned."""
