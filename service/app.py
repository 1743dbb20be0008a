"""The one place where the service is put together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from models.registry import Registry
from service import documentation, problem
from service.access import Door
from service.body_limit import BodyLimit
from service.caretaker import Caretaker
from service.concurrency import Concurrency
from service.content_encoding import ContentEncoding
from service.deadline import Deadline
from service.idempotency import Idempotency
from service.key_scope import Needs
from service.key_use import KeyUse
from service.live_keys import LiveKeys
from service.live_model import LiveModel
from service.metrics import gauges
from service.metrics.board import Board
from service.metrics.recorder import Recorder
from service.negotiation import is_streamed
from service.observed import Observed, Observer
from service.opening import keep_opening, open_store_if_possible
from service.path_encoding import PathEncoding
from service.proving import Prover
from service.pulse import Pulse
from service.rate_limit import RateLimit, WrongKeys
from service.request_log import log_request
from service.routes import batch, customers, health, metrics, models, segment, segments
from service.served_model import Limits
from service.server.runtime_tuning import tune_process
from service.settings import Settings
from service.shortcut import Shortcut
from service.slash_redirect import SlashRedirect
from service.state import Service
from service.store.database import ledger_spec, open_engine
from service.store.errors import StoreError
from service.store.idempotency import IdempotencyKeys
from service.store.keys import KeyStore
from service.store.personal_data import PersonalData
from service.store.reader import Reader
from service.store.ulid import UlidFactory
from service.store.writer import GroupCommit
from service.suppressed import Suppressed
from service.templates import Templates
from service.version import VERSION

if TYPE_CHECKING:
    from service.tracing import Tracing

CLOSING_PATIENCE = 2.0  # how long the end waits for a database that does not answer
DESCRIPTION = """Turns a customer's purchases into a segment, says why, and what to do about it.

Every answer is stored before it is given. Errors are RFC 9457 problems."""
ROUTERS = tuple(one.router for one in (segment, batch, segments, customers, models, health, metrics))


def utc_now() -> datetime:
    """The present moment; the only clock of the service."""
    return datetime.now(UTC)


def create_app(
    settings: Settings,
    clock: Callable[[], datetime] = utc_now,
    board: Board | None = None,
    seat: int = 0,
) -> FastAPI:
    """The application for these settings. Nothing is opened before it starts. `board` has what several processes count,
    of which this one has the seat of this number."""
    service = assemble(settings, clock, board, seat)
    tracing = _tracing(settings, clock)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _running(service):
            yield
        if tracing is not None:
            await asyncio.to_thread(tracing.close)

    app = Application(
        title="Customer Segmentation Service",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.router.default = SlashRedirect(app.router)
    app.state.service = service
    problem.install(app)
    for router in ROUTERS:
        app.include_router(router)
    documentation.install(app, service.live.current, guarded=lambda: not service.keys.open)
    templates = Templates([*app.routes, *(route for router in ROUTERS for route in router.routes)])
    observers = [] if tracing is None else [tracing.request]
    app.door = _door(app.inside, service, Needs(app.routes), templates, observers)
    return app


class Application(FastAPI):
    """The framework's application with a door of our own before it, which every request passes first."""

    door: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.door if scope["type"] == "http" else super().__call__)(scope, receive, send)

    async def inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The framework's application itself."""
        await super().__call__(scope, receive, send)


def _tracing(settings: Settings, clock: Callable[[], datetime]) -> "Tracing | None":
    if settings.otlp_endpoint is None:
        return None
    from service.tracing import to_collector  # an extra that need not be installed

    return to_collector(settings.otlp_endpoint, clock)


def _door(
    inside: ASGIApp, service: Service, needs: Needs, templates: Templates, observers: Sequence[Observer]
) -> ASGIApp:
    """What a request passes, the last first: its id, the log, how many are under way and for how long, whether its
    path is UTF-8, the key, how often it came, the shortcut of the call that is waited for, the unpacking of its body,
    the size of it. Before the framework, whose own layers cost each request as much as these do together."""
    settings = service.settings
    measured = BodyLimit(inside, settings.max_body_bytes, is_streamed)
    unpacked = ContentEncoding(measured, settings.max_body_bytes)
    received = BodyLimit(unpacked, settings.max_body_bytes, is_streamed)  # a body may be larger before it is unpacked
    shortcut = Shortcut(received, service, settings.max_body_bytes)
    limited = RateLimit(shortcut, settings.rate_limit, settings.workers)
    unguarded = limited if settings.rate_limit else shortcut
    door = Door(limited, unguarded, service.keys, service.key_use, needs, WrongKeys(settings.wrong_keys))
    observed = Observed(
        PathEncoding(door),
        templates,
        [service.recorder.request, log_request, *observers],
        Concurrency(settings.max_concurrent),
        Deadline(settings.request_seconds, is_streamed),
    )
    service.recorder.running = observed.running
    return observed


def assemble(
    settings: Settings,
    clock: Callable[[], datetime],
    board: Board | None = None,
    seat: int = 0,
) -> Service:
    """The parts of the service, none of them started: what `create_app` and the command line build on."""
    engine = open_engine(settings.store_url)
    reader = Reader(engine)
    live = LiveModel(
        registry=Registry(settings.models_dir),
        prover=Prover(engine, reader),
        limits=Limits(batch=settings.max_batch, transactions=settings.max_transactions),
        playbooks_path=settings.playbooks,
        signing_key=settings.signing_key_bytes,
        clock=clock,
    )
    board = board or Board()
    recorder = Recorder(board.take(seat))
    writer, ids = GroupCommit(ledger_spec(engine), settings.queue_rows, observer=recorder), UlidFactory()
    idempotency = Idempotency(IdempotencyKeys(engine), ids, clock)
    key_store, key = KeyStore(engine), settings.api_key.get_secret_value() if settings.api_key else None
    personal = PersonalData(engine)
    return Service(
        settings=settings,
        engine=engine,
        reader=reader,
        writer=writer,
        live=live,
        ids=ids,
        clock=clock,
        idempotency=idempotency,
        keys=LiveKeys(key_store, key, not settings.needs_key, settings.proxies, clock),
        key_use=KeyUse(key_store, clock),
        personal=personal,
        suppressed=Suppressed(personal, clock),
        caretaker=Caretaker(engine, settings.retention_days, clock),
        board=board,
        recorder=recorder,
    )


def prepare(settings: Settings) -> None:
    """What one process does before several answer: the tables are made, and the model is proved, once for all."""
    service = assemble(settings, utc_now)
    try:
        _open(service)
    finally:
        service.engine.dispose()


def _open(service: Service) -> None:
    open_store_if_possible(service)
    service.keys.refresh()
    service.live.refresh()
    service.suppressed.look()
    with contextlib.suppress(StoreError):  # the database may come later, and then the first answer tells
        latest = service.reader.last_assigned()
        if latest is not None:
            service.recorder.assigned_at(latest.timestamp())


@contextlib.asynccontextmanager
async def _running(service: Service) -> AsyncIterator[None]:
    await asyncio.to_thread(_open, service)
    service.writer.start()
    tune_process()
    stop = asyncio.Event()
    watching = asyncio.create_task(service.live.watch(service.settings.model_poll_seconds, stop))
    pulses = [
        Pulse(look, service.settings.model_poll_seconds) for look in (service.suppressed.look, service.caretaker.look)
    ]
    for one in pulses:
        one.start()
    service.keys.start(service.settings.key_poll_seconds)
    service.key_use.start(service.settings.key_poll_seconds)
    opening = asyncio.create_task(keep_opening(service, stop))
    measuring = asyncio.create_task(gauges.keep(service, stop))
    try:
        yield
    finally:
        stop.set()
        service.caretaker.end()
        await asyncio.gather(watching, opening, measuring)
        for one in pulses:
            await one.close(CLOSING_PATIENCE)
        await service.keys.close()
        await service.key_use.close()
        await service.writer.close()
        service.engine.dispose()
