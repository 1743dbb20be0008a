"""The way of the one call that a person waits for: past the framework's router, which costs as much as the answer."""

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from service.assigning import answer_one
from service.problem import response_to
from service.routes.segment import JSON, check_is_json
from service.state import Service

PATH = "/segment"
KEY = b"idempotency-key"


class Shortcut:
    """Answers POST /segment, without parameters and key, as the route of that name does; all else goes on to the
    router."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http"
            or scope["path"] != PATH
            or scope["method"] != "POST"
            or scope["query_string"]
            or KEY in dict(scope["headers"])
        ):
            await self._app(scope, receive, send)
            return
        try:
            check_is_json(_content_type(scope))
            answer = await answer_one(await _body(receive), self._service)
        except Exception as error:  # whatever it is, the client is told as the router would tell it
            await response_to(error)(scope, receive, send)
            return
        length = (b"content-length", str(len(answer)).encode())
        headers = [(b"content-type", JSON.encode()), length]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


def _content_type(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value, "latin-1")
    return JSON


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
