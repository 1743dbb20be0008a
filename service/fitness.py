"""Whether this process can answer, check by check, each with its reason."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from models.errors import ModelError
from service.errors import NotReady
from service.state import Service
from service.store.database import pending
from service.store.errors import StoreError, StoreUnavailable

# What anybody may be told where a check fails.
PLAIN: Mapping[str, str] = {
    "running": "it is stopping; send requests to another instance",
    "model": "it has no model to answer with",
    "migrations": "its database lacks migrations; run: python -m service db upgrade",
    "store": "its database does not do its work just now",
}


class Check(NamedTuple):
    """One thing that must be so, how long it took to see, and in words what was seen: for those who may know how the
    service is. `error` is there where it is not so."""

    name: str
    detail: str
    seconds: float = 0.0
    error: Exception | None = None

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def plain(self) -> str:
        """What anybody may be told where it is not so."""
        return PLAIN[self.name]


async def examine(service: Service) -> list[Check]:
    """All checks; a database that hangs is waited for only so long."""
    if service.readiness.stopping:
        return [_failed("running", NotReady("stopping: it was told to end; send requests to another instance"), 0.0)]
    limit = service.settings.ready_seconds
    try:
        asked = await asyncio.wait_for(service.looking.run(_ask_database, service), limit)
    except TimeoutError:
        error = StoreUnavailable(f"The database has not answered for {limit:g} s; see whether it runs")
        asked = [_failed("store", error, limit)]
    return [Check("running", "takes requests"), _timed("model", lambda: _place(service)), *asked]


def _place(service: Service) -> str:
    """Places one of the model's own customers."""
    model = service.live.current().model
    placed = model.scorer.place(model.reference.values[0])
    if model.segments[placed.nearest].id != model.reference.segment_ids[0]:
        raise NotReady(f"model {model.version} does not place its own reference customer as it was trained to")
    return f"{model.version} places its own customer"


def _ask_database(service: Service) -> list[Check]:
    migrations = _timed("migrations", lambda: _look_for_migrations(service))
    if isinstance(migrations.error, StoreError):  # it was not migrations that are missing
        return [migrations._replace(name="store")]
    return [migrations, _timed("store", lambda: _ask_store(service))] if migrations.ok else [migrations]


def _look_for_migrations(service: Service) -> str:
    missing = pending(service.engine)
    if missing:
        raise NotReady(f"the database lacks {len(missing)} migration(s); run: python -m service db upgrade")
    return "all are applied"


def _ask_store(service: Service) -> str:
    service.reader.ping()
    return f"{service.engine.dialect.name} answers"


def _timed(name: str, look: Callable[[], str]) -> Check:
    started = time.perf_counter()
    try:
        detail = look()
    except (NotReady, ModelError, StoreError) as error:
        return _failed(name, error, time.perf_counter() - started)
    return Check(name, detail, time.perf_counter() - started)


def _failed(name: str, error: Exception, seconds: float) -> Check:
    return Check(name, error.summary if isinstance(error, StoreError) else str(error), seconds, error)
