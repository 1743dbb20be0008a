"""The commands that docs/operations.md gives for PostgreSQL, shown by restoring."""

import secrets
from pathlib import Path

import httpx

from benchmarks.reckoning import reckon, segment_names
from models.registry import Registry
from tests.faults.load import Load
from tests.faults.postgresql import Postgresql
from tests.faults.service import BOUND, recovers
from tests.service.server import server


def test_a_dump_made_under_load_has_all_that_was_acknowledged_before_it_and_is_restored_whole(
    postgresql: Postgresql, postgresql_store: str, models_dir: Path, server_folder: Path
) -> None:
    dump = str(server_folder / f"{secrets.token_hex(4)}.dump")
    with server(database_url=postgresql_store, models_dir=models_dir) as running, Load(running.port) as load:
        load.wait_for_answers()
        before = list(load.answers)
        postgresql.run("pg_dump", "-Fc", "-O", "-f", dump, postgresql_store)
        load.wait_for_answers()
    assert load.refused == []
    restored = postgresql.make(f"restored_{secrets.token_hex(4)}")
    postgresql.run("pg_restore", "-O", "-e", "-1", "-d", restored, dump)
    assert reckon(restored, before, segment_names(Registry(models_dir))).faults == []
    with server(database_url=restored, models_dir=models_dir) as running:
        recovers(running)
        assert httpx.get(f"{running.url}/customers/{before[0].customer_id}", timeout=BOUND).status_code == 200
