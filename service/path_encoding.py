"""Refuses paths that are not UTF-8."""

from collections.abc import Awaitable
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import UnreadablePath
from service.problem import response_to

NOT_UTF8 = UnreadablePath("the path is not UTF-8; percent-encode the UTF-8 bytes of each character, é as %C3%A9")


class PathEncoding:
    """Servers put U+FFFD where the bytes of a path are not UTF-8, so that different paths would be one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        raw_path = scope.get("raw_path") or b""
        if b"%" in raw_path and not _is_utf8(raw_path):
            return response_to(NOT_UTF8)(scope, receive, send)
        return self._app(scope, receive, send)


def _is_utf8(raw_path: bytes) -> bool:
    try:
        unquote_to_bytes(raw_path).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
