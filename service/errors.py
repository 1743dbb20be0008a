"""What can be wrong with what a client asks, in sentences. They know nothing of HTTP."""

from collections.abc import Sequence
from typing import NamedTuple


class Fault(NamedTuple):
    """One thing wrong with a request: where (a JSON Pointer, RFC 6901) and a sentence on what and what to do."""

    pointer: str
    detail: str


class InvalidRequest(Exception):
    """A request no model can answer; `faults` says why, one entry per field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__()
        self.faults = list(faults)

    def __str__(self) -> str:
        return "; ".join(f"{fault.pointer or 'the body'}: {fault.detail}" for fault in self.faults)


class InvalidJson(InvalidRequest):
    """A request, or an item of a batch, that is not JSON."""

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__([Fault(pointer, detail)])


class UnknownCustomer(Exception):
    """No answer is stored for a customer."""


class CustomerSuppressed(Exception):
    """Nothing of a customer may be worked out or stored."""


class BodyTooLarge(Exception):
    """A request's body has more bytes than may be sent at once."""


class NotReady(Exception):
    """The service cannot answer yet, or not now; the message says why."""


class Unauthorized(Exception):
    """A request has no key that is good here."""


class Forbidden(Exception):
    """A key is good, and not for what is asked."""


class BrokenBody(Exception):
    """A request's body is not encoded as its headers say, or breaks off."""


class RequestInProgress(Exception):
    """Another request is being answered under the same key; try again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BatchInProgress(RequestInProgress):
    """The same of a batch, which may take long."""


class KeyReused(Exception):
    """A key stands for another body than the one that came with it now."""


class NotHttp(Exception):
    """What came is no request."""


class UnreadablePath(Exception):
    """The path of a request's address is not text."""


class HeadTooLarge(Exception):
    """A request's address and headers have more bytes, or more entries, than are kept."""


class TooSlow(Exception):
    """A request did not come in time."""


class TimedOut(Exception):
    """A request came, and was not answered in time."""


class Overloaded(Exception):
    """As many requests are being answered as may be."""


class TooManyRequests(Exception):
    """A caller has sent more requests than it may; it may send the next after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
