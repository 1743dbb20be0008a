"""GET /models…, POST /models/{version}/activate: the registry."""

import asyncio
from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from models.errors import ModelError, NoActiveModel
from models.manifest import Manifest
from models.registry import Registry
from service.caller import caller_of
from service.errors import NotReady
from service.idempotency import Answer, Claim
from service.key_scope import KeyScope, needs
from service.live_model import LiveModel
from service.routes.idempotency_key import ANSWERED, IDEMPOTENCY_KEY, json_response, keyed_request, with_body
from service.routes.responses import problems
from service.routes.route import Route
from service.state import service_of
from service.store.audit import AuditEntry, record

router = APIRouter(prefix="/models", tags=["models"], route_class=Route)


class ModelLine(BaseModel):
    """A published version. `problem` says why it cannot be served, where that is so."""

    version: str
    active: bool
    published_at: datetime
    as_of: datetime | None = None
    customers: int | None = None
    segments: int | None = None
    problem: str | None = None


class Models(BaseModel):
    """The registry. `serving` answers requests now (null: none does); `trouble` says why that is not the active one."""

    active: str | None
    serving: str | None
    trouble: str | None
    models: list[ModelLine]


class ModelDetail(BaseModel):
    """Everything known of a version. `says` has what its manifest shows in sentences: how the segments were chosen,
    what they tell of later purchases, what was warned of or not shown, and who moved since the model before."""

    version: str
    active: bool
    published_at: datetime
    says: list[str]
    manifest: Manifest


class Activated(BaseModel):
    """The version that answers from now on."""

    active: str


@router.get("", summary="All models", responses=problems(), openapi_extra=needs(KeyScope.READ))
async def models(request: Request) -> Models:
    """All published versions, the newest first."""
    service = service_of(request)
    return await service.apart.run(_models, service.live)


def _models(live: LiveModel) -> Models:
    active = _active(live.registry)
    lines = [_line(live, version, active) for version in live.registry.versions()]
    return Models(active=active, serving=live.serving, trouble=live.trouble, models=lines)


@router.get("/{version}", summary="One model", responses=problems(400, 404, 409), openapi_extra=needs(KeyScope.READ))
async def model(version: str, request: Request) -> ModelDetail:
    """What a version was trained on, how it was chosen, and what its features mean."""
    service = service_of(request)
    return await service.apart.run(_model, service.live, version)


def _model(live: LiveModel, version: str) -> ModelDetail:
    registry, manifest = live.registry, live.read(version).manifest
    return ModelDetail(
        version=version,
        active=version == _active(registry),
        published_at=registry.published_at(version),
        says=_said(manifest),
        manifest=manifest,
    )


@router.post(
    "/{version}/activate",
    summary="Serve a model",
    response_model=Activated,
    responses={HTTPStatus.OK: ANSWERED, **problems(400, 404, 409)},
    openapi_extra={"parameters": [IDEMPOTENCY_KEY], **needs(KeyScope.ADMIN)},
)
async def activate(version: str, request: Request) -> Response:
    """Checks and proves the version, then has all service processes answer with it."""
    service, keyed, who = service_of(request), keyed_request(request), caller_of(request.scope).who

    async def activated(claim: Claim | None = None) -> Answer:
        try:
            served = await service.apart.run(service.live.activate, version)
        except OSError as error:
            raise NotReady(f"the active model cannot be changed: {error.strerror}; the present one goes on") from error
        entry = AuditEntry(service.clock(), who, "model.activated", served.model.version)
        await asyncio.to_thread(record, service.engine, entry)
        return Answer(HTTPStatus.OK, Activated(active=served.model.version).model_dump_json().encode())

    if keyed is None:
        return json_response((await activated()).body or b"")
    return json_response(*await service.idempotency.once(await with_body(keyed, await request.body()), activated))


def _line(live: LiveModel, version: str, active: str | None) -> ModelLine:
    common = {"version": version, "active": version == active, "published_at": live.registry.published_at(version)}
    try:
        manifest = live.read(version).manifest
    except ModelError as error:
        return ModelLine(**common, problem=str(error))
    return ModelLine(**common, as_of=manifest.as_of, customers=manifest.customers, segments=manifest.selection.winner.k)


def _said(manifest: Manifest) -> list[str]:
    evidence = manifest.evidence
    tried = [one.says for one in evidence.backtests]
    moved = [manifest.movements.says] if manifest.movements else []
    return [manifest.selection.reason, *tried, *evidence.warnings, *evidence.unproved, *moved]


def _active(registry: Registry) -> str | None:
    try:
        return registry.active()
    except NoActiveModel:
        return None
