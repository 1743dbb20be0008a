"""GET /health/live and /health/ready: is the process up, and can it answer."""

import asyncio

from fastapi import APIRouter, Request
from pydantic import BaseModel

from service.errors import NotReady
from service.key_scope import OPEN
from service.routes.responses import problems
from service.state import Service, service_of
from service.store.database import pending

router = APIRouter(prefix="/health", tags=["operations"])
LOOK_SECONDS = 4.0


class Live(BaseModel):
    """The process answers."""

    status: str


class Ready(BaseModel):
    """A customer was placed by the loaded model and the store answered; `trouble` is something to look at."""

    status: str
    model_version: str
    store_seconds: float
    trouble: str | None


@router.get("/live", summary="Is the process up", openapi_extra=OPEN)
async def live() -> Live:
    """Answers as long as the process runs."""
    return Live(status="live")


@router.get("/ready", summary="Can it answer", responses=problems(), openapi_extra=OPEN)
async def ready(request: Request) -> Ready:
    """Places one of the model's own customers and asks the store; 503 says which of them failed and why."""
    service = service_of(request)
    if service.readiness.stopping:
        raise NotReady("stopping: it was told to end and takes no new clients; send requests to another instance")
    try:
        return await asyncio.wait_for(service.looking.run(_look, service), LOOK_SECONDS)
    except TimeoutError:
        raise NotReady(f"the database has not answered for {LOOK_SECONDS:g} s; see whether it runs") from None


def _look(service: Service) -> Ready:
    model = service.live.current().model
    placed = model.scorer.place(model.reference.values[0])
    if model.segments[placed.nearest].id != model.reference.segment_ids[0]:
        raise NotReady(f"model {model.version} does not place its own reference customer as it was trained to")
    missing = pending(service.engine)
    if missing:
        raise NotReady(f"the database lacks {len(missing)} migration(s); run: python -m service db upgrade")
    seconds = service.reader.ping()
    return Ready(
        status="ready",
        model_version=model.version,
        store_seconds=round(seconds, 6),
        trouble=service.live.trouble or service.writer.trouble,
    )
