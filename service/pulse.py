"""Work that is done every so often beside the answering."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

logger = logging.getLogger("segmentation.pulse")


async def pulse(work: Callable[[], None], seconds: float, stop: asyncio.Event) -> None:
    """Does blocking work every so many seconds, off the event loop, until told to stop. What fails is tried again."""
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
            return
        try:
            await asyncio.to_thread(work)
        except Exception:
            logger.exception("what is done every %g s failed; it is tried again", seconds)
