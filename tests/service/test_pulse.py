"""Work beside the answering goes on whatever fails, is done at once where asked, and keeps nobody from ending."""

import asyncio
import logging
import threading

import pytest

from service.pulse import Pulse

NEVER = 3600.0


def test_work_is_done_again_and_again() -> None:
    enough, rounds = threading.Event(), list[int]()

    def work() -> None:
        rounds.append(1)
        if len(rounds) >= 3:
            enough.set()

    async def run() -> None:
        pulse = Pulse(work, 0.001)
        pulse.start()
        await asyncio.to_thread(enough.wait)
        await pulse.close(60)

    asyncio.run(run())


def test_work_is_done_at_once_where_it_is_asked_for_also_after_a_failure(caplog: pytest.LogCaptureFixture) -> None:
    rounds = []

    def work() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise RuntimeError("not now")

    async def run() -> None:
        pulse = Pulse(work, NEVER, last=lambda: rounds.append(9))
        pulse.start()
        await pulse.now()
        await pulse.now()
        await pulse.close(60)

    with caplog.at_level(logging.ERROR, "segmentation.pulse"):
        asyncio.run(run())
    assert rounds == [1, 1, 9]
    assert "it is tried again" in caplog.text


def test_work_that_never_ends_keeps_nobody_from_ending() -> None:
    begun, over = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        over.wait()

    async def run() -> None:
        pulse = Pulse(work, NEVER)
        pulse.start()
        pulse.now()
        await asyncio.to_thread(begun.wait)
        await pulse.close(0.01)

    asyncio.run(run())
    over.set()
