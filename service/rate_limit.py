"""The limit on requests per key and minute, and on wrong keys per address."""

import ipaddress
import math
from time import monotonic

from starlette.types import ASGIApp, Receive, Scope, Send

from service.buckets import Allowance, Buckets
from service.caller import caller_of
from service.errors import TooManyRequests
from service.exchange import exchange_of
from service.problem import response_to

OPEN_PREFIX = "/health/"


class RateLimit:
    """Answers 429 to a caller who sends more than its own limit, or else `per_minute`; 0 is no limit.

    Each of `workers` processes counts the requests that it receives and grants its share of the limit.
    """

    def __init__(self, app: ASGIApp, per_minute: int, workers: int) -> None:
        self._app = app
        self._per_minute = per_minute
        self._workers = workers
        self._buckets = Buckets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = caller_of(scope)
        limit = caller.requests_per_minute
        if limit is None:
            limit = self._per_minute
        if not limit or scope["path"].startswith(OPEN_PREFIX):
            await self._app(scope, receive, send)
            return
        granted = math.ceil(limit / self._workers)
        allowance = self._buckets.take(caller.id, granted, monotonic())
        exchange = exchange_of(scope)
        if exchange is not None:
            exchange.headers += _headers(granted, allowance)
        if allowance.passes:
            await self._app(scope, receive, send)
            return
        said = f"this key may send {limit:,} requests a minute, and has; see Retry-After"
        await response_to(TooManyRequests(said, _whole(allowance.retry_after)))(scope, receive, send)


class WrongKeys:
    """How many wrong keys an address may send in a minute. Only what is refused anyway is counted: a right key passes
    from anywhere, else a stranger behind the same proxy could lock its owner out."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._buckets = Buckets()

    def count(self, scope: Scope) -> None:
        """Counts a wrong key. Raises TooManyRequests where there were too many before."""
        allowance = self._buckets.take(_address(scope), self._per_minute, monotonic())
        if not allowance.passes:
            said = "too many wrong or missing keys came from this address; see Retry-After, and send a right one"
            raise TooManyRequests(said, _whole(allowance.retry_after))


def _headers(limit: int, allowance: Allowance) -> list[tuple[bytes, bytes]]:
    return [
        (b"ratelimit-limit", b"%d" % limit),
        (b"ratelimit-remaining", b"%d" % allowance.remaining),
        (b"ratelimit-reset", b"%d" % _whole(allowance.reset)),
    ]


def _whole(seconds: float) -> int:
    """Seconds as headers have them: who waits for so long does not wait in vain."""
    return max(1, math.ceil(seconds))


def _address(scope: Scope) -> str:
    """Where a request comes from; of IPv6 the network, as one sender has all the addresses of one."""
    client = scope.get("client")
    host = str(client[0]) if client else ""
    if ":" not in host or host.startswith("::ffff:"):  # of IPv4, told as IPv6 or not
        return host
    return str(ipaddress.IPv6Network((host.partition("%")[0], 64), strict=False))
