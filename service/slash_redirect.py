"""The redirect from an address that ends with a slash to the call without it."""

from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.routing import Match, Router
from starlette.types import Receive, Scope, Send


class SlashRedirect:
    """Answers what no route of a router takes.

    The framework's own redirect is an absolute URL of the connection's scheme and the `Host` header: behind a proxy
    that ends TLS it sends the client, and its key, to `http://`. This one has a path, and no host.
    """

    def __init__(self, router: Router) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].rstrip("/")
        if path == scope["path"] or not self._is_taken(path, scope):
            await self._router.not_found(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        await RedirectResponse(f"{quote(path)}?{query}" if query else quote(path))(scope, receive, send)

    def _is_taken(self, path: str, scope: Scope) -> bool:
        other = {**scope, "path": path}
        return any(route.matches(other)[0] is not Match.NONE for route in self._router.routes)
