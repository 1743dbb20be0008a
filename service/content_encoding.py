"""Compressed request bodies, unpacked piece by piece as they come."""

import asyncio
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLarge, BrokenBody
from service.exchange import HEADERS, headers_of
from service.problem import Problem, new_request_id, respond

PIECE = 1_048_576  # bytes unpacked at a time
MOST_EMPTY = 1_000  # members or frames one after another that hold nothing


class Damaged(Exception):
    """What was fed cannot be unpacked."""


class Unpacker(Protocol):
    """Unpacks one body: `feed` it, then ask until there is `nothing`."""

    def feed(self, data: bytes) -> None:
        """Takes packed bytes."""

    def unpacked(self) -> bytes:
        """Some more of what they hold, a bounded number of bytes; nothing where more must be fed. Raises Damaged."""

    @property
    def whole(self) -> bool:
        """Whether the body may end here."""


class EmptyParts:
    """Counts members, or frames, that hold nothing: each takes more work than bytes. Raises Damaged."""

    def __init__(self) -> None:
        self._count = 0

    def count(self, unpacked: bytes, ended: bool) -> None:
        """What some of a member was unpacked to, and whether that was its end."""
        if unpacked:
            self._count = -1  # what ends later is not empty
        elif ended:
            self._count += 1
            if self._count > MOST_EMPTY:
                raise Damaged(f"more than {MOST_EMPTY:,} parts one after another are empty")


class GzipUnpacker:
    """Members of gzip, one after another."""

    def __init__(self) -> None:
        self._left = b""
        self._member: Any = None
        self._empty = EmptyParts()

    def feed(self, data: bytes) -> None:
        self._left += data

    def unpacked(self) -> bytes:
        while self._left:
            if self._member is None:
                self._member = zlib.decompressobj(wbits=31)
            try:
                found: bytes = self._member.decompress(self._left, PIECE)
            except zlib.error as error:
                raise Damaged(str(error)) from error
            self._left = self._member.unconsumed_tail
            self._empty.count(found, self._member.eof)
            if self._member.eof:
                self._left, self._member = self._member.unused_data, None
            if found:
                return found
        return b""

    @property
    def whole(self) -> bool:
        return self._member is None


def _zstandard() -> Unpacker:
    from service.zstandard_unpacker import ZstandardUnpacker  # most services are never sent any, and it is a megabyte

    return ZstandardUnpacker()


ENCODING = b"content-encoding"
UNPACKERS: dict[str, Callable[[], Unpacker]] = {
    "gzip": GzipUnpacker,
    "x-gzip": GzipUnpacker,
    "zstd": _zstandard,
}


class ContentEncoding:
    """Gives the application the body that was packed; what is packed in another way is answered with 415.

    A limit on unpacked bytes is for the application to keep. Of a body of any length, at most `most` bytes may come
    beyond those that are unpacked from it.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if ENCODING not in headers_of(scope):  # as nearly always
            await self._app(scope, receive, send)
            return
        named = [value for name, value in scope.get("headers", ()) if name == ENCODING]
        encoding = b",".join(named).decode("latin-1").strip().lower()
        if encoding in ("", "identity"):
            await self._app(scope, receive, send)
        elif encoding not in UNPACKERS:
            await respond(_unknown(encoding))(scope, receive, send)
        else:
            dropped = {ENCODING, b"content-length"}
            headers = [(name, value) for name, value in scope["headers"] if name not in dropped]
            unpacked = {**scope, "headers": headers, HEADERS: dict(headers)}
            await self._app(unpacked, _Unpacked(receive, UNPACKERS[encoding](), self._most), send)


class _Unpacked:
    """Receives messages whose bodies are unpacked."""

    def __init__(self, receive: Receive, unpacker: Unpacker, most: int) -> None:
        self._receive = receive
        self._unpacker = unpacker
        self._most = most
        self._surplus = 0  # bytes that came beyond those that they hold
        self._more = True
        self._told_end = False

    async def __call__(self) -> Message:
        try:
            while not (found := self._unpacker.unpacked()):
                if not self._more:
                    return await self._after_the_end()
                message = await self._receive()
                if message["type"] != "http.request":
                    return message
                self._more = message.get("more_body", False)
                self._feed(message.get("body", b""))
        except Damaged as error:
            raise BrokenBody(f"the body is not compressed as Content-Encoding says: {error}") from error
        self._surplus -= len(found)
        await asyncio.sleep(0)  # others have their turn between two pieces, however many the bytes that came hold
        return _message(found, True)

    def _feed(self, packed: bytes) -> None:
        self._surplus += len(packed)
        if self._surplus > self._most:
            raise BodyTooLarge(f"the body has more than {self._most:,} bytes beyond those that it holds; pack it once")
        self._unpacker.feed(packed)

    async def _after_the_end(self) -> Message:
        if self._told_end:
            return await self._receive()
        if not self._unpacker.whole:
            raise BrokenBody("the compressed body breaks off; send it whole")
        self._told_end = True
        return _message(b"", False)


def _message(body: bytes, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def _unknown(encoding: str) -> Problem:
    return Problem(
        type="urn:segmentation:problem:unsupported-media-type",
        title="Unsupported Media Type",
        status=415,
        detail=f"the body is packed with {encoding[:60]}; pack it with gzip or zstd, or send it as it is",
        request_id=new_request_id(),
    )
