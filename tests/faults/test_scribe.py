"""The process that writes is killed, or stopped, under one that answers."""

import os
import signal
from pathlib import Path

from tests.faults.load import Load
from tests.faults.service import recovers
from tests.service.server import server
from tests.service.serving import until


def test_killed_it_is_replaced_and_nothing_acknowledged_is_lost(store: str, models_dir: Path) -> None:
    with server(database_url=store, models_dir=models_dir) as running, Load(running.port) as load:
        load.wait_for_answers(60)
        (scribe,) = running.children
        os.kill(scribe.pid, signal.SIGKILL)
        load.wait_for_answers(200)
        (another,) = running.children
        assert another.pid != scribe.pid
        recovers(running)
    assert load.undocumented() == []
    assert load.broken == 0
    assert load.reckoned(store, models_dir).faults == []


def test_stopped_everybody_is_told_in_time_and_answered_when_it_goes_on(store: str, models_dir: Path) -> None:
    with server(database_url=store, models_dir=models_dir) as running, Load(running.port) as load:
        load.wait_for_answers(60)
        (scribe,) = running.children
        os.kill(scribe.pid, signal.SIGSTOP)
        load.wait_for_refusals(3)
        os.kill(scribe.pid, signal.SIGCONT)
        load.wait_for_answers(60)
        recovers(running)
    assert load.undocumented() == []
    assert load.broken == 0
    assert load.reckoned(store, models_dir).faults == []


def test_it_ends_when_the_process_that_answers_is_killed(store: str, models_dir: Path) -> None:
    with server(database_url=store, models_dir=models_dir) as running, Load(running.port) as load:
        load.wait_for_answers(60)
        (scribe,) = running.children
        running.signal(signal.SIGKILL)
        running.wait()
        until(lambda: not scribe.is_running())
    with server(database_url=store, models_dir=models_dir) as again:
        recovers(again)
    assert load.reckoned(store, models_dir).faults == []
