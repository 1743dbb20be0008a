"""A documented call whose handler takes the request as it is."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from starlette.responses import Response

from service.routes.route import Route


class BytesRoute(Route):
    """A documented call whose handler takes the request as it is: the body is decoded once, straight from bytes,
    and the answer is encoded once."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint
        return handler
