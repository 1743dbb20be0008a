"""The way of the one call that a person waits for: past the framework's router, which costs as much as the answer."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from service.assigning import answer_one
from service.exchange import exchange_of, headers_of
from service.problem import response_to
from service.routes.segment import JSON, check_is_json
from service.state import Service

PATH = "/segment"
CONTENT_TYPE, CONTENT_LENGTH = b"content-type", b"content-length"
ELSEWHERE = frozenset({b"idempotency-key", b"content-encoding", b"transfer-encoding"})  # what the router knows of
JSON_BYTES = JSON.encode()


class Shortcut:
    """Answers POST /segment, without parameters and key, as the route of that name does; all else goes on to the
    router, and so does a body that is packed, or not known to have at most `most` bytes."""

    def __init__(self, app: ASGIApp, service: Service, most: int) -> None:
        self._app = app
        self._service = service
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        plain = scope["path"] == PATH and scope["method"] == "POST" and not scope["query_string"]
        if not plain or not ELSEWHERE.isdisjoint(headers) or not self._is_short(headers.get(CONTENT_LENGTH, b"")):
            await self._app(scope, receive, send)
            return
        try:
            if headers.get(CONTENT_TYPE, JSON_BYTES) != JSON_BYTES:
                check_is_json(headers[CONTENT_TYPE].decode("latin-1"))
            body = await _body(receive)
            exchange = exchange_of(scope)
            if exchange is not None:
                exchange.body_complete = True
            answer = await answer_one(body, self._service)
        except Exception as error:  # whatever it is, the client is told as the router would tell it
            await response_to(error)(scope, receive, send)
            return
        told = [(CONTENT_TYPE, JSON_BYTES), (CONTENT_LENGTH, b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": told})
        await send({"type": "http.response.body", "body": answer})

    def _is_short(self, declared: bytes) -> bool:
        """Whether a body of the declared length may be taken; the server gives no more of it than that."""
        return declared.isdigit() and int(declared) <= self._most


async def _body(receive: Receive) -> bytes:
    """All of a request's body. Raises ClientDisconnect."""
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body"):
        return bytes(message.get("body", b""))
    parts = []
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
        message = await receive()
    raise ClientDisconnect
