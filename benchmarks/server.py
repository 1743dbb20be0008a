"""A server process on a free port of this machine, for the time of a measurement."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 60.0


class Server:
    """Started on entering, answered /health/ready by then; stopped by SIGTERM on leaving, and may be started again."""

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """`{port}` in the command and in the environment is filled in. `folder` is for the log."""
        self.name = name
        self.faults: list[str] = []
        self.port = free_port()
        self._command = [sys.executable, *(part.format(port=self.port) for part in command)]
        self._environment = {**os.environ, **{key: value.format(port=self.port) for key, value in environment.items()}}
        self._log = folder / f"{name}.log"

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            # In a group of its own, so that a kill reaches its workers too.
            self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.name} did not start:\n{self._log.read_text()}")
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        if code not in (0, -signal.SIGTERM):  # uvicorn by itself says again the signal that it was stopped by
            self.faults.append(f"{self.name} was told to stop and ended with exit code {code}")
        if "Traceback" in self._log.read_text():
            self.faults.append(f"{self.name} logged a stack trace:\n{self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """Ends it and its workers at once, wherever they are."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
