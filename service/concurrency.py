"""The limit on requests that are answered at the same time."""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import Overloaded
from service.problem import response_to

OPEN_PREFIX = "/health/"  # a full service is healthy, and is to say so


class Concurrency:
    """Answers 503 to what comes while `most` requests are under way."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._under_way >= self._most and not scope["path"].startswith(OPEN_PREFIX):
            busy = Overloaded(
                f"{self._most:,} requests are being answered, as many as may be; send it again in a moment"
            )
            await response_to(busy)(scope, receive, send)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
