"""The door: whose key a request has, and whether the key may do what is asked."""

from collections.abc import Awaitable, Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from service.caller import KEY, NOBODY
from service.errors import Forbidden, NotReady, TooManyRequests, Unauthorized
from service.key_scope import Needs
from service.key_use import BEYOND, INVALID, KeyUse
from service.live_keys import LiveKeys
from service.problem import response_to
from service.rate_limit import WrongKeys

OPEN_PREFIX = "/docs/"
NO_KEY = Unauthorized("this service needs a key that is valid here; send it as: Authorization: Bearer <key>")
NOT_KNOWN = NotReady("the keys could not be read from the database yet; try again in a moment")
BEARER = b"bearer "


class Door:
    """Lets requests through that carry `Authorization: Bearer <key>` with the scope they need; says who sent them.

    While no keys are asked for, requests go to `unguarded`.
    """

    def __init__(
        self, app: ASGIApp, unguarded: ASGIApp, keys: LiveKeys, use: KeyUse, needs: Needs, wrong: WrongKeys
    ) -> None:
        self._app = app
        self._unguarded = unguarded
        self._wrong = wrong
        self._keys = keys
        self._use = use
        self._needs = needs

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return (self._unguarded if self._keys.open else self._guarded)(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = self._keys.find(token_of(scope["headers"]), scope)
        path = scope["path"]
        if caller is None and (path in self._needs.open_paths or path.startswith(OPEN_PREFIX)):
            caller = NOBODY
        elif caller is None:
            await self._keys.look()
            caller = self._keys.find(token_of(scope["headers"]), scope)
        if caller is None:
            await self._refuse(scope, receive, send)
            return
        needed = self._needs.of(scope)
        if not needed <= caller.scopes:
            self._use.refuse(BEYOND)
            lacking = " and ".join(sorted(needed - caller.scopes))
            refusal = Forbidden(f"this call needs a key with the scope {lacking}, which this key does not have")
            await response_to(refusal)(scope, receive, send)
            return
        if caller is not NOBODY:
            self._use.used[caller.id] = caller
        scope[KEY] = caller
        await self._app(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._use.refuse(INVALID)
        if not self._keys.known:
            await response_to(NOT_KNOWN)(scope, receive, send)
            return
        try:
            self._wrong.count(scope)
            response = response_to(NO_KEY)
            response.headers["www-authenticate"] = "Bearer"
        except TooManyRequests as error:
            response = response_to(error)
        await response(scope, receive, send)


def token_of(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """What stands after `Bearer` in the one Authorization header; nothing where there is none, or more than one."""
    given = None
    for name, value in headers:
        if name == b"authorization":
            if given is not None:
                return b""
            given = value
    return given[len(BEARER) :].strip() if given and given[: len(BEARER)].lower() == BEARER else b""
