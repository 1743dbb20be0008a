"""A SQLite file is brought to this version when the service starts, or as soon after that as it can be."""

import asyncio
import contextlib
import logging

from service.state import Service
from service.store.database import upgrade
from service.store.errors import StoreDamaged, StoreUnavailable

RETRY_SECONDS = 1.0
logger = logging.getLogger("segmentation.opening")


def open_store(service: Service) -> None:
    """Blocking; raises StoreUnavailable, and StoreDamaged where waiting is of no use."""
    if service.engine.dialect.name == "sqlite":  # a file of our own; a shared server is migrated by a command
        upgrade(service.engine)


def open_store_if_possible(service: Service) -> None:
    """The same; what keeps it from being opened just now, such as a full disk, is logged."""
    try:
        open_store(service)
    except StoreDamaged:
        raise
    except StoreUnavailable as error:
        logger.error("%s It is tried again every %g s.", error.report, RETRY_SECONDS)


async def keep_opening(service: Service, stop: asyncio.Event) -> None:
    """Until it is open, or told to stop."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            await asyncio.to_thread(open_store, service)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RETRY_SECONDS)
            return
