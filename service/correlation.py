"""What a request is known by: its id, and its place in a trace that another system began (W3C Trace Context)."""

import itertools
import re
import secrets
from collections.abc import Container, Sequence
from contextvars import ContextVar
from random import SystemRandom
from typing import NamedTuple

REQUEST_ID = b"x-request-id"
TRACEPARENT = b"traceparent"
_SAFE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,64}")
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_KNOWN_FLAGS = 0b11  # sampled, and random trace id; the others have no meaning yet and must be sent as zero
_random = SystemRandom()


class Trace(NamedTuple):
    """A place in a trace: `span_id` is that of this service's own work."""

    trace_id: str
    span_id: str
    flags: int

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


class Correlation(NamedTuple):
    """A request's id; `trace` is None where the client sent no traceparent."""

    request_id: str
    trace: Trace | None = None

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer carries."""
        headers = [(REQUEST_ID, self.request_id.encode())]
        if self.trace is not None:
            headers.append((TRACEPARENT, self.trace.traceparent.encode()))
        return headers


# Of the request that is being answered: each has a task, and so a context, of its own.
CURRENT: ContextVar[Correlation | None] = ContextVar("segmentation.correlation", default=None)


class Correlator:
    """Takes over the id and the trace that a client sent, or gives new ones."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(5)  # tells processes apart, and one start from the next
        self._numbers = itertools.count(1)

    def of(self, headers: Sequence[tuple[bytes, bytes]], names: Container[bytes]) -> Correlation:
        """The correlation of a request with these headers; `names` has those there are."""
        if REQUEST_ID not in names and TRACEPARENT not in names:  # as nearly always
            return Correlation(self._new_id())
        sent = [value for name, value in headers if name == REQUEST_ID]
        parents = [value for name, value in headers if name == TRACEPARENT]
        known = len(sent) == 1 and _SAFE_ID.fullmatch(sent[0]) is not None
        request_id = sent[0].decode() if known else self._new_id()
        return Correlation(request_id, trace_of(parents) if parents else None)

    def _new_id(self) -> str:
        return self._prefix + format(next(self._numbers), "06x")


def trace_of(parents: list[bytes]) -> Trace:
    """The trace that a traceparent continues; a new one where it is not as the specification has it."""
    span_id = f"{_random.getrandbits(64) or 1:016x}"
    found = _TRACEPARENT.fullmatch(parents[0].strip(b" \t")) if len(parents) == 1 else None
    if found is None or not _is_valid(*found.groups()):
        return Trace(f"{_random.getrandbits(128) or 1:032x}", span_id, 0b10)
    return Trace(found[2].decode(), span_id, int(found[4], 16) & _KNOWN_FLAGS)


def _is_valid(version: bytes, trace_id: bytes, parent_id: bytes, flags: bytes, rest: bytes | None) -> bool:
    """Later versions may have more after the flags; this one has not."""
    if version == b"ff" or (version == b"00" and rest is not None):
        return False
    return trace_id.strip(b"0") != b"" and parent_id.strip(b"0") != b""
