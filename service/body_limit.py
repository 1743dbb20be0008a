"""The limit on a request's body: told by its declared length before anything is read, else counted as it comes."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import BodyTooLarge
from service.exchange import exchange_of, headers_of
from service.problem import new_request_id, problem_of, respond


class BodyLimit:
    """Answers 413 where a body is larger than `most` bytes, also one that comes in chunks of no declared length.

    `unlimited` tells of a request whether it has no such limit, because it is never held as a whole.
    """

    def __init__(self, app: ASGIApp, most: int, unlimited: Callable[[Scope], bool]) -> None:
        self._app = app
        self._most = most
        self._unlimited = unlimited

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._unlimited(scope):
            await self._app(scope, receive, send)
            return
        declared = headers_of(scope).get(b"content-length", b"")
        if declared.isdigit() and int(declared) > self._most:
            await respond(problem_of(self._too_large(), new_request_id()))(scope, receive, send)
            return
        received, exchange = 0, exchange_of(scope)

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most:
                raise self._too_large()
            if exchange is not None and not message.get("more_body", False):
                exchange.body_complete = True
            return message

        await self._app(scope, counted, send)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"the body has more than {self._most:,} bytes; send a batch in parts or as a stream, "
            "and of a customer with so many transactions the features"
        )
