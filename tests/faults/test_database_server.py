"""A PostgreSQL that is killed, paused, away at start, replaced by another, or takes no writes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import sqlalchemy as sa

from tests.faults.load import Load
from tests.faults.postgresql import Postgresql
from tests.faults.service import BOUND, KEY, goes_on_without_a_database, is_ready, recovers, refuses
from tests.service.server import server
from tests.service.serving import until

PAUSE_SECONDS = 30.0
READERS = 60  # more than there are threads for them


def test_killed_and_started_again_it_has_all_that_was_acknowledged(
    postgresql: Postgresql, postgresql_store: str, models_dir: Path
) -> None:
    with (
        server(database_url=postgresql_store, models_dir=models_dir) as running,
        Load(running.port) as load,
    ):
        for _ in range(2):
            load.wait_for_answers()
            postgresql.kill()
            load.wait_for_refusals(3)
            assert not is_ready(running)
            goes_on_without_a_database(running)
            postgresql.start()
            recovers(running)
        load.wait_for_answers()
    assert load.undocumented() == []
    assert load.broken == 0
    assert load.reckoned(postgresql_store, models_dir).faults == []


def test_one_of_its_backends_killed_it_recovers_and_so_does_the_service(
    postgresql: Postgresql, postgresql_store: str, models_dir: Path
) -> None:
    database = sa.make_url(postgresql_store).database or ""
    with (
        server(database_url=postgresql_store, models_dir=models_dir) as running,
        Load(running.port) as load,
    ):
        for _ in range(3):
            load.wait_for_answers()
            postgresql.kill_a_backend(database)
            recovers(running)
    assert load.undocumented() == []
    assert load.broken == 0
    assert load.reckoned(postgresql_store, models_dir).faults == []


def test_paused_for_half_a_minute_everyone_is_told_in_time_and_what_needs_no_database_goes_on(
    postgresql: Postgresql, postgresql_store: str, models_dir: Path
) -> None:
    with server(database_url=postgresql_store, models_dir=models_dir) as running:
        with Load(running.port) as load, ThreadPoolExecutor(READERS) as readers:
            load.wait_for_answers()
            resumed = threading.Timer(PAUSE_SECONDS, postgresql.resume)
            postgresql.pause()
            resumed.start()
            reads = [readers.submit(httpx.get, f"{running.url}/customers/1", timeout=BOUND) for _ in range(READERS)]
            goes_on_without_a_database(running)  # while they have all the threads there are
            assert not is_ready(running)
            refuses(running)
            assert [one.result().status_code for one in reads] == [503] * READERS
            assert resumed.is_alive()  # nobody waited for the database to come back
            resumed.join()
            recovers(running)
            load.wait_for_answers()
        assert load.undocumented() == []
        assert load.broken == 0
        assert load.reckoned(postgresql_store, models_dir).faults == []


def test_away_when_the_service_starts_it_is_waited_for(
    postgresql: Postgresql, postgresql_store: str, models_dir: Path
) -> None:
    postgresql.stop()
    with server(database_url=postgresql_store, models_dir=models_dir, api_key=KEY) as running:
        assert not is_ready(running)
        assert "the database" in refuses(running)["detail"]
        goes_on_without_a_database(running, known=False)
        postgresql.start()
        recovers(running)


def test_one_that_takes_no_writes_is_read_and_left_for_one_that_does(
    postgresql: Postgresql, postgresql_store: str, models_dir: Path
) -> None:
    with server(database_url=postgresql_store, models_dir=models_dir) as running, Load(running.port) as load:
        load.wait_for_answers()
        postgresql.say("ALTER SYSTEM SET default_transaction_read_only = on")
        postgresql.stop()  # a failover: all sessions end, and the address leads to another server
        postgresql.start()
        load.wait_for_refusals(3)
        until(lambda: any("read-only" in said for said in running.log))
        until(lambda: is_ready(running))
        known = load.answers[0].customer_id
        read = httpx.get(f"{running.url}/customers/{known}/history", timeout=BOUND)
        assert read.status_code == 200
        assert "read-only" in httpx.get(f"{running.url}/health/ready", timeout=BOUND).json()["trouble"]
        postgresql.say("SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only")
        postgresql.say("SELECT pg_reload_conf()")
        recovers(running)
        load.wait_for_answers()
        assert httpx.get(f"{running.url}/health/ready", timeout=BOUND).json()["trouble"] is None
    assert load.undocumented() == []
    assert load.reckoned(postgresql_store, models_dir).faults == []
