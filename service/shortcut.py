"""The way of the one call that a person waits for: past the framework's router, which costs as much as the answer."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from service.assigning import answer_one
from service.exchange import headers_of
from service.problem import response_to
from service.routes.segment import JSON, check_is_json
from service.state import Service

PATH = "/segment"
KEY = b"idempotency-key"
CONTENT_TYPE = b"content-type"
JSON_BYTES = JSON.encode()


class Shortcut:
    """Answers POST /segment, without parameters and key, as the route of that name does; all else goes on to the
    router."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        if scope["path"] != PATH or scope["method"] != "POST" or scope["query_string"] or KEY in headers:
            await self._app(scope, receive, send)
            return
        try:
            check_is_json(str(headers.get(CONTENT_TYPE, JSON_BYTES), "latin-1"))
            answer = await answer_one(await _body(receive), self._service)
        except Exception as error:  # whatever it is, the client is told as the router would tell it
            await response_to(error)(scope, receive, send)
            return
        told = [(CONTENT_TYPE, JSON_BYTES), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": told})
        await send({"type": "http.response.body", "body": answer})


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
