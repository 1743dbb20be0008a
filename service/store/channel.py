"""Messages between the event loop and whoever writes: length, then the content as `marshal` has it.

Both ends are this program, of one version and one Python; what comes is trusted as a call between two functions is.
"""

import marshal
import socket
from typing import Any

PREFIX = 8  # bytes of the length


class ChannelClosed(Exception):
    """Nobody is at the other end any more."""


def packed(message: Any) -> bytes:
    """A message as it is sent. Raises ValueError for what is not made of None, numbers, texts, lists and tuples."""
    content = marshal.dumps(message)
    return len(content).to_bytes(PREFIX, "big") + content


class Inbox:
    """Puts together messages from the pieces they come in."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def add(self, piece: bytes) -> None:
        """A piece that came."""
        self._pieces.append(piece)
        self._length += len(piece)

    def take(self) -> Any:
        """The next whole message; raises LookupError where there is none yet."""
        if self._length < PREFIX:
            raise LookupError
        if len(self._pieces[0]) < PREFIX:
            self._pieces = [b"".join(self._pieces)]
        end = PREFIX + int.from_bytes(self._pieces[0][:PREFIX], "big")
        if self._length < end:
            raise LookupError
        whole = b"".join(self._pieces)
        self._pieces, self._length = [whole[end:]], self._length - end
        return marshal.loads(whole[PREFIX:end])  # noqa: S302 (from this program)


def receive(end: socket.socket, inbox: Inbox) -> Any:
    """Waits for the next message. Raises ChannelClosed."""
    while True:
        try:
            return inbox.take()
        except LookupError:
            piece = end.recv(1 << 20)
            if not piece:
                raise ChannelClosed from None
            inbox.add(piece)
