"""The service as the process it is in production: `python -m service serve`."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent.parent
RUNNING = re.compile(r"(?:running|listening) on (http://[^\s\"]+)")


class Server:
    """A running service. What it logs is kept in `log`; `url` is known once it listens."""

    def __init__(self, environment: Mapping[str, str] | None = None, /, **settings: object) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGMENTATION_")}
        given = {f"SEGMENTATION_{name.upper()}": str(value) for name, value in {"port": 0, **settings}.items()}
        self.log: list[str] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "service", "serve"],
            cwd=ROOT,
            env={**inherited, **given, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._watcher = psutil.Process(self._process.pid)
        self._listens = threading.Event()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def url(self) -> str:
        """Where it listens. Waits until it does; fails where it ends instead."""
        self._listens.wait()
        for line in self.log:
            found = RUNNING.search(line)
            if found:
                return found.group(1)
        raise AssertionError("the service ended before it listened:\n" + "".join(self.log))

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes that answer, where there are several."""
        return self._watcher.children()

    @property
    def children(self) -> list[psutil.Process]:
        """The processes that it started: where one answers, who writes."""
        return self._watcher.children()

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def memory(self) -> int:
        """Bytes that the process has in memory."""
        return int(self._watcher.memory_info().rss)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """The exit code, once it has ended and said its last."""
        code = self._process.wait()
        self._reading.join()
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.log.append(line)
            if RUNNING.search(line):
                self._listens.set()
        self._listens.set()
        self._process.stdout.close()


@contextmanager
def server(environment: Mapping[str, str] | None = None, /, **settings: object) -> Iterator[Server]:
    """A server that is killed at the end, if it still runs. `environment` is what it gets beside its settings."""
    running = Server(environment, **settings)
    try:
        yield running
    finally:
        running.signal(signal.SIGKILL)
        running.wait()
