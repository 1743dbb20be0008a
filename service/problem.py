"""One shape for every error: RFC 9457 problem details."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from models.errors import ArtifactRefused, ModelError, NoActiveModel, PlaybooksRefused, UnknownSegment, UnknownVersion
from service.correlation import CURRENT
from service.errors import (
    BatchInProgress,
    BodyTooLarge,
    BrokenBody,
    CustomerSuppressed,
    Fault,
    Forbidden,
    HeadTooLarge,
    InvalidRequest,
    KeyReused,
    NotHttp,
    NotReady,
    Overloaded,
    RequestInProgress,
    TimedOut,
    TooManyRequests,
    TooSlow,
    Unauthorized,
    UnknownCustomer,
    UnreadablePath,
)
from service.exchange import CLIENT_GONE
from service.faults import faults_of
from service.store.errors import RowRefused, StoreBusy, StoreError, StoreUnavailable, UnknownRevision

MEDIA_TYPE = "application/problem+json"
logger = logging.getLogger("segmentation.problem")

# Python's own phrases for these two change between its versions; a title must not.
TITLES: Mapping[int, str] = {413: "Content Too Large", 422: "Unprocessable Content"}
# The framework's own refusals, as sentences.
SENTENCES: Mapping[int, str] = {
    404: "there is nothing at this address; /docs lists what there is",
    405: "this address does not take that method; the Allow header names those it takes",
}


class FaultRecord(BaseModel):
    """Where in the request, and what is wrong there."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) into the request body, or the parameter's name.")
    detail: str


class Problem(BaseModel):
    """RFC 9457: what went wrong, for programs (`type`, `status`) and for people (`title`, `detail`)."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: list[FaultRecord] | None = None


# The stable type and the status of every domain error; the first class an error is an instance of counts.
TABLE: Mapping[type[Exception], tuple[str, HTTPStatus]] = {
    Unauthorized: ("unauthorized", HTTPStatus.UNAUTHORIZED),
    Forbidden: ("forbidden", HTTPStatus.FORBIDDEN),
    BodyTooLarge: ("content-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    BrokenBody: ("broken-body", HTTPStatus.BAD_REQUEST),
    BatchInProgress: ("batch-in-progress", HTTPStatus.CONFLICT),
    RequestInProgress: ("request-in-progress", HTTPStatus.CONFLICT),
    KeyReused: ("idempotency-key-reused", HTTPStatus.UNPROCESSABLE_ENTITY),
    NotHttp: ("bad-request", HTTPStatus.BAD_REQUEST),
    UnreadablePath: ("bad-request", HTTPStatus.BAD_REQUEST),
    HeadTooLarge: ("head-too-large", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE),
    TooSlow: ("request-timeout", HTTPStatus.REQUEST_TIMEOUT),
    TimedOut: ("timed-out", HTTPStatus.SERVICE_UNAVAILABLE),
    Overloaded: ("busy", HTTPStatus.SERVICE_UNAVAILABLE),
    TooManyRequests: ("too-many-requests", HTTPStatus.TOO_MANY_REQUESTS),
    InvalidRequest: ("invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY),
    CustomerSuppressed: ("customer-suppressed", HTTPStatus.CONFLICT),
    UnknownCustomer: ("unknown-customer", HTTPStatus.NOT_FOUND),
    UnknownSegment: ("unknown-segment", HTTPStatus.NOT_FOUND),
    UnknownVersion: ("unknown-model", HTTPStatus.NOT_FOUND),
    ArtifactRefused: ("model-refused", HTTPStatus.CONFLICT),
    PlaybooksRefused: ("model-refused", HTTPStatus.CONFLICT),
    NoActiveModel: ("not-ready", HTTPStatus.SERVICE_UNAVAILABLE),
    NotReady: ("not-ready", HTTPStatus.SERVICE_UNAVAILABLE),
    StoreBusy: ("store-busy", HTTPStatus.SERVICE_UNAVAILABLE),
    StoreUnavailable: ("store-unavailable", HTTPStatus.SERVICE_UNAVAILABLE),
    UnknownRevision: ("not-ready", HTTPStatus.SERVICE_UNAVAILABLE),
    RowRefused: ("row-refused", HTTPStatus.UNPROCESSABLE_ENTITY),
    ModelError: ("model-refused", HTTPStatus.CONFLICT),
}


def problem_of(error: Exception, request_id: str) -> Problem:
    """The problem a domain error is; what is not in the table is a fault of ours and tells nothing of its inside."""
    for known, (name, status) in TABLE.items():
        if isinstance(error, known):
            faults = error.faults if isinstance(error, InvalidRequest) else None
            return _problem(name, status, str(error), request_id, faults)
    detail = "something went wrong here; the log has it under this request_id"
    return _problem("internal", HTTPStatus.INTERNAL_SERVER_ERROR, detail, request_id)


def item_problem(error: Exception) -> Problem:
    """The problem of one item of a batch; of a fault of ours the log has the rest."""
    problem = problem_of(error, getattr(error, "request_id", None) or new_request_id())
    log_untold(error, problem)
    return problem


def log_untold(error: Exception, problem: Problem) -> None:
    """Logs what the client is not told: of a fault of ours where it was, of trouble its reason, once while it lasts."""
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request %s failed", problem.request_id, exc_info=error)
    elif isinstance(error, (StoreError, ModelError)) and error.reason:
        told = {"fields": {"reason": error.reason}, "repeats": error.report}
        logger.log(logging.ERROR if problem.status >= 500 else logging.WARNING, "%s", error.report, extra=told)


def new_request_id() -> str:
    """The id of the request that is being answered; a new one where none is."""
    correlation = CURRENT.get()
    return correlation.request_id if correlation is not None else secrets.token_hex(8)


def respond(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as a response."""
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


def raw_problem(problem: Problem) -> bytes:
    """A whole answer, as it goes over the network, for what never was a request to the application."""
    body = problem.model_dump_json(exclude_none=True).encode()
    head = (
        f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\n"
        f"x-request-id: {problem.request_id}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def response_to(error: Exception) -> Response:
    """The answer to a request that failed: a problem, and to a fault of ours a line in the log."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=CLIENT_GONE)  # nobody reads this
    if isinstance(error, HTTPException):
        return _of_framework(error)
    retry_after = getattr(error, "retry_after", None)
    problem = problem_of(error, new_request_id())
    log_untold(error, problem)
    if retry_after is None and problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        retry_after = 1
    return respond(problem, {"retry-after": str(max(1, round(retry_after)))} if retry_after else None)


def install(app: FastAPI) -> None:
    """Have every error of the application, the framework's own included, answered as a problem."""

    async def failed(request: Request, error: Exception) -> Response:
        return response_to(error)

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        # a parameter is named by itself: whether it stood in the path or the query is plain
        named = [{**one, "loc": one["loc"][1:]} for one in error.errors()]
        invalid = InvalidRequest(
            [fault._replace(pointer=fault.pointer.removeprefix("/")) for fault in faults_of(named)]
        )
        return respond(problem_of(invalid, new_request_id()))

    for known in (*TABLE, ClientDisconnect, HTTPException, Exception):
        app.add_exception_handler(known, failed)
    app.add_exception_handler(RequestValidationError, validation)


def _of_framework(error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    plain = error.detail == status.phrase
    detail = SENTENCES.get(status, str(error.detail)) if plain else str(error.detail)
    return respond(_problem(_slug(status), status, detail, new_request_id()), error.headers)


def _problem(
    name: str, status: HTTPStatus, detail: str, request_id: str, faults: Sequence[Fault] | None = None
) -> Problem:
    errors = [FaultRecord(pointer=fault.pointer, detail=fault.detail) for fault in faults] if faults else None
    return Problem(
        type=f"urn:segmentation:problem:{name}",
        title=_title(status),
        status=int(status),
        detail=detail if not faults else f"{len(faults)} thing{'s' * (len(faults) != 1)} must be put right: {detail}",
        request_id=request_id,
        errors=errors,
    )


def _title(status: HTTPStatus) -> str:
    return TITLES.get(status, status.phrase)


def _slug(status: HTTPStatus) -> str:
    return _title(status).lower().replace(" ", "-").replace("'", "")
