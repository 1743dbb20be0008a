"""The documented error responses that calls share."""

from typing import Any

from service.problem import MEDIA_TYPE

_PROBLEM = {"$ref": "#/components/schemas/Problem"}  # it is there as a part of the batch's answer
_SAID = {
    400: "The request breaks off, is not HTTP as it should be, or its path is not UTF-8.",
    401: "The key is missing or wrong.",
    403: "The key does not have the scope that this call needs.",
    404: "There is no such thing.",
    405: "The address does not take that method; `Allow` names those it takes.",
    406: "There is no answer of an accepted type.",
    409: "It is against what is now: `type` says what, such as a model that is refused, a suppressed customer, or a "
    "request with this `Idempotency-Key` that is being answered.",
    413: "The body is larger than allowed.",
    415: "The body is not of a type that is understood.",
    422: "Something in the request must be put right, such as a query parameter that the call does not take; `errors` "
    "says what and where.",
    429: "The key has sent as many requests as it may; see `Retry-After`.",
    503: "Not now: see `detail`, try again after `Retry-After` seconds.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries for these statuses, and for those every call has."""
    return {status: _response(status) for status in sorted({*statuses, 401, 403, 422, 429, 503})}


def _response(status: int) -> dict[str, Any]:
    return {"description": _SAID[status], "content": {MEDIA_TYPE: {"schema": _PROBLEM}}}


# Of a call that answers whatever the service's state is, to anyone, however often.
ALWAYS_ANSWERED: dict[int | str, dict[str, Any]] = {422: _response(422)}
