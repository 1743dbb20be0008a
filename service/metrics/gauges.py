"""What is as it is at a moment: read from the service's parts, and put where all processes can see it."""

import asyncio
import contextlib
import platform
import shutil
from pathlib import Path

from models.errors import ModelError
from service.metrics import catalogue
from service.state import Service
from service.store.database import pool_use
from service.version import VERSION

SECONDS = 1.0  # how old what another process shows may be


async def keep(service: Service, stop: asyncio.Event) -> None:
    """Measures every so often until told to stop: whichever process is asked tells of all."""
    while not stop.is_set():
        measure(service)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), SECONDS)


def measure(service: Service) -> None:
    """Puts the numbers of this process as they are now."""
    recorder = service.recorder
    recorder.used(service.writer.scribe_cpu)
    recorder.put(catalogue.BUILD_INFO, 1, VERSION, platform.python_version())
    recorder.put(catalogue.IN_FLIGHT, len(recorder.running))
    recorder.put(catalogue.QUEUE_ROWS, service.writer.queued_rows)
    recorder.put(catalogue.QUEUE_ROWS_LIMIT, service.settings.queue_rows)
    pool = pool_use(service.engine)
    recorder.put(catalogue.POOL_SIZE, pool.size)
    recorder.put(catalogue.POOL_IN_USE, pool.in_use)
    recorder.put(catalogue.POOL_OVERFLOW, pool.overflow)
    _measure_model(service)
    if service.engine.dialect.name == "sqlite":
        with contextlib.suppress(OSError):
            folder = Path(service.engine.url.database or ".").parent
            recorder.put(catalogue.DISK_FREE, shutil.disk_usage(folder).free)


def _measure_model(service: Service) -> None:
    recorder, version = service.recorder, service.live.serving
    recorder.put(catalogue.MODEL_TROUBLE, service.live.trouble is not None)
    recorder.serves(version)
    if version is not None:
        with contextlib.suppress(ModelError, OSError):  # it may have been removed, and answers on
            published = service.live.registry.published_at(version)
            recorder.put(catalogue.MODEL_AGE, max((service.clock() - published).total_seconds(), 0.0))
