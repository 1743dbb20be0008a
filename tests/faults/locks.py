"""Another process that has locked the database, and does nothing more."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PROGRAM = """
import sys
from service.store.database import open_engine
engine = open_engine(sys.argv[1])
sqlite = engine.dialect.name == "sqlite"
with engine.connect().execution_options(sqlite_begin="BEGIN EXCLUSIVE") as connection:
    connection.exec_driver_sql("SELECT 1" if sqlite else "LOCK TABLE assignments, customers IN ACCESS EXCLUSIVE MODE")
    print("locked", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Nobody else can write, and on PostgreSQL nobody else can read."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        assert process.stdout.readline() == "locked\n"
        yield
        process.kill()
    process.wait()
