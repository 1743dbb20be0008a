"""The key at the door: with an API key configured, nothing but health and documentation answers without it."""

import hashlib
import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from service.problem import Problem, new_request_id, respond

OPEN = frozenset({"/health/live", "/health/ready", "/docs", "/openapi.json"})
OPEN_PREFIX = "/docs/"


class RequireKey:
    """Lets requests through that carry `Authorization: Bearer <key>`; compares digests in constant time."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._digest = hashlib.sha256(key.encode()).digest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._is_open(scope["path"]) or self._has_key(scope):
            await self._app(scope, receive, send)
            return
        problem = Problem(
            type="urn:segmentation:problem:unauthorized",
            title="Unauthorized",
            status=401,
            detail="this service needs a key; send it as: Authorization: Bearer <key>",
            request_id=new_request_id(),
        )
        await respond(problem, {"www-authenticate": "Bearer"})(scope, receive, send)

    @staticmethod
    def _is_open(path: str) -> bool:
        return path in OPEN or path.startswith(OPEN_PREFIX)

    def _has_key(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, key = given[0].partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(hashlib.sha256(key.strip()).digest(), self._digest)
