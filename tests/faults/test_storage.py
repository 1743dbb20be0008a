"""A disk that is full, a file system that takes no writes, a database that another process has locked."""

import signal
from pathlib import Path

import pytest

from tests.faults.load import Load
from tests.faults.locks import locked
from tests.faults.service import KEY, goes_on_without_a_database, is_ready, recovers, refuses
from tests.faults.small_disk import SmallDisk
from tests.service.server import server


def test_a_full_disk_refuses_answers_until_there_is_room(store_on_disk: str, disk: SmallDisk, models_dir: Path) -> None:
    with server(database_url=store_on_disk, models_dir=models_dir) as running, Load(running.port) as load:
        for _ in range(2):
            load.wait_for_answers()
            disk.fill()
            load.wait_for_refusals(3)
            refuses(running)
            goes_on_without_a_database(running)
            disk.free()
            recovers(running)
        load.wait_for_answers()
    assert load.undocumented() == []
    assert load.broken == 0
    assert load.reckoned(store_on_disk, models_dir).faults == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_cannot_be_written_when_the_service_starts_is_waited_for(
    disk: SmallDisk, models_dir: Path, workers: int
) -> None:
    url = f"sqlite:///{disk.path / 'store.sqlite3'}"
    disk.forbid_writing()
    with server(database_url=url, models_dir=models_dir, workers=workers, api_key=KEY) as running:
        assert not is_ready(running)
        assert "the database" in refuses(running)["detail"]
        goes_on_without_a_database(running, known=False)
        disk.allow_writing()
        recovers(running)
        running.signal(signal.SIGTERM)
        assert running.wait() == 0


def test_a_killed_service_goes_on_where_it_was_after_its_file_system_took_no_writes_for_a_while(
    disk: SmallDisk, models_dir: Path
) -> None:
    url = f"sqlite:///{disk.path / 'store.sqlite3'}"
    with server(database_url=url, models_dir=models_dir) as running, Load(running.port) as load:
        load.wait_for_answers()
        running.signal(signal.SIGKILL)
        running.wait()
    disk.forbid_writing()
    with server(database_url=url, models_dir=models_dir) as running:
        refuses(running)
        disk.allow_writing()
        recovers(running)
    assert load.undocumented() == []
    assert load.reckoned(url, models_dir).faults == []


def test_a_locked_database_is_waited_for_so_long_and_no_longer(store: str, models_dir: Path) -> None:
    with server(database_url=store, models_dir=models_dir) as running, Load(running.port) as load:
        load.wait_for_answers()
        with locked(store):
            load.wait_for_refusals()
            refuses(running)
            goes_on_without_a_database(running)
        recovers(running)
        load.wait_for_answers()
    assert load.undocumented() == []
    assert load.broken == 0
    assert load.reckoned(store, models_dir).faults == []
