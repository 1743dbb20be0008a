"""One request and its answer, while it is under way and once it is over."""

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.types import Message, Scope, Send

from service.correlation import Correlation

KEY = "segmentation.exchange"  # of an ASGI scope
HEADERS = "segmentation.headers"
CLIENT_GONE = 499  # of an answer that nobody waits for any more; it is never sent


class Exchange:
    """What is known of one request and its answer; whoever observes requests gets it once it is over.

    `status` is None until the answer begins, `sent` counts the bytes of its body, `complete` tells whether all of it
    was given to the server, and `body_complete` whether all of the request's body was taken. `began` and `ended` are
    seconds of the monotonic clock. `headers` go with the answer. `task` works on it; `overdue` tells that it took too
    long, and was cancelled.
    """

    __slots__ = (
        "began",
        "body_complete",
        "complete",
        "correlation",
        "ended",
        "headers",
        "overdue",
        "route",
        "scope",
        "sent",
        "status",
        "task",
        "to_client",
    )

    def __init__(
        self,
        scope: Scope,
        send: Send,
        correlation: Correlation,
        began: float,
        task: asyncio.Task[object] | None = None,
    ) -> None:
        self.scope = scope
        self.to_client = send
        self.correlation = correlation
        self.headers = correlation.headers
        self.began = began
        self.ended = began
        self.route = ""
        self.status: int | None = None
        self.sent = 0
        self.complete = False
        self.body_complete = False
        self.task = task
        self.overdue = False

    @property
    def method(self) -> str:
        return str(self.scope["method"])

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def outcome(self) -> str:
        """How it went, in a word: answered, refused, failed, broken-off, or gone where the client did not wait."""
        if self.status is None or self.status == CLIENT_GONE:
            return "gone"
        if not self.complete:
            return "broken-off"
        if self.status >= 500:
            return "failed"
        return "refused" if self.status >= 400 else "answered"

    async def send(self, message: Message) -> None:
        """Sends on, and notes what was sent."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self.headers]
        else:
            self.sent += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        await self.to_client(message)


def exchange_of(scope: Scope) -> Exchange | None:
    """The exchange of this scope's request; None where nothing observes it."""
    found: Any = scope.get(KEY)
    return found if isinstance(found, Exchange) else None


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """A request's headers by name, of equal names the last; made once for all that look at them."""
    found: Mapping[bytes, bytes] | None = scope.get(HEADERS)
    if found is None:
        found = scope[HEADERS] = dict(scope["headers"])
    return found
