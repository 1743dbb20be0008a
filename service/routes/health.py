"""GET /health/live and /health/ready: is the process up, and can it answer."""

from collections.abc import Sequence

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from service.caller import caller_of
from service.fitness import Check, examine
from service.key_scope import OPEN, KeyScope
from service.problem import Problem, log_untold, new_request_id, problem_of, respond
from service.routes.responses import ALWAYS_ANSWERED, problems
from service.routes.route import Route
from service.state import service_of

READERS = "Where the key has the scope read, or no keys are asked for."

router = APIRouter(prefix="/health", tags=["operations"], route_class=Route)


class Live(BaseModel):
    """The process answers."""

    status: str


class CheckRecord(BaseModel):
    """One thing that was looked at: whether it is as it must be, what was seen, and how long it took."""

    name: str
    ok: bool
    detail: str
    seconds: float | None = Field(None, description=READERS)


class Ready(BaseModel):
    """A customer was placed by the loaded model and the store answered; `trouble` is something to look at."""

    status: str
    model_version: str | None = Field(None, description=READERS)
    store_seconds: float | None = Field(None, description=READERS)
    trouble: str | None = Field(None, description=READERS)
    checks: list[CheckRecord] | None = Field(None, description=READERS)


class NotReadyProblem(Problem):
    """Why it cannot answer, check by check; to others than readers only which checks failed."""

    checks: list[CheckRecord]


@router.get("/live", summary="Is the process up", responses=ALWAYS_ANSWERED, openapi_extra=OPEN)
async def live() -> Live:
    """Answers as long as the process runs."""
    return Live(status="live")


@router.get(
    "/ready",
    summary="Can it answer",
    response_model=Ready,
    response_model_exclude_unset=True,
    responses=problems(),
    openapi_extra=OPEN,
)
async def ready(request: Request) -> Ready | Response:
    """Places one of the model's own customers and asks the store; 503 says which of them failed. Keys with the scope
    `read`, and everybody where no keys are asked for, are told all that was seen."""
    service, reads = service_of(request), KeyScope.READ in caller_of(request.scope).scopes
    checks = await examine(service)
    if not all(check.ok for check in checks):
        return _not_ready(checks, reads)
    if not reads:
        return Ready(status="ready")
    return Ready(
        status="ready",
        model_version=service.live.current().model.version,
        store_seconds=round(checks[-1].seconds, 6),
        trouble=service.live.trouble or service.writer.trouble,
        checks=_records(checks),
    )


def _not_ready(checks: Sequence[Check], reads: bool) -> Response:
    failed = [(check, check.error) for check in checks if check.error is not None]
    problems = [problem_of(error, new_request_id()) for _, error in failed]
    for (_, error), problem in zip(failed, problems, strict=True):
        log_untold(error, problem)
    detail = "; ".join(check.detail if reads else check.plain for check, _ in failed)
    records = _records(checks) if reads else [
        CheckRecord(name=one.name, ok=False, detail=one.plain) for one, _ in failed
    ]  # fmt: skip
    told = NotReadyProblem.model_validate({**problems[0].model_dump(), "detail": detail, "checks": records})
    return respond(told, {"retry-after": "1"})


def _records(checks: Sequence[Check]) -> list[CheckRecord]:
    return [CheckRecord(name=one.name, ok=one.ok, detail=one.detail, seconds=round(one.seconds, 6)) for one in checks]
