"""The project's containers on the engine at hand, under a project name of their own."""

import http.client
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
OVERRIDE = Path(__file__).with_name("override.yml")
SERVICE_IMAGE = "customer-segmentation"
TRAINING_IMAGE = "customer-segmentation-training"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service said."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True)
class Stack:
    """The containers of one compose project, with secrets of their own and purchases mounted from a folder."""

    secrets_dir: Path
    purchases: Path
    project: str = field(default_factory=lambda: f"segmentation-test-{secrets.token_hex(4)}")
    port: int = field(default_factory=lambda: free_port())
    database_port: int = field(default_factory=lambda: free_port())

    @property
    def key(self) -> str:
        return (self.secrets_dir / "api_key").read_text()

    def compose(self, *arguments: str, check: bool = True, timeout: float = 900) -> str:
        """Run `docker compose …` on this project; returns what it printed."""
        files = ["--file", str(COMPOSE)] + ([] if has_bridge() else ["--file", str(OVERRIDE)])
        environment = {
            "SECRETS_DIR": str(self.secrets_dir),
            "DATA_DIR": str(self.purchases.parent),
            "SEGMENTATION_PORT": str(self.port),
            "TEST_DATABASE_PORT": str(self.database_port),
        }
        command = ["docker", "compose", *files, "--project-name", self.project, "--profile", "*", *arguments]
        return run(command, environment, check=check, timeout=timeout)

    def container(self, service: str) -> str:
        """The id of a service's container."""
        return self.compose("ps", "--all", "--quiet", service).strip()

    def state(self, service: str, form: str) -> str:
        """One value of `docker inspect`."""
        return run(["docker", "inspect", "--format", form, self.container(service)]).strip()

    def wait_until_healthy(self, service: str, seconds: float) -> None:
        """Until the engine has asked the service's health check and heard that all is well."""
        deadline = time.monotonic() + seconds
        while (seen := self.state(service, "{{.State.Health.Status}}")) != "healthy":
            if time.monotonic() > deadline:
                raise AssertionError(f"{service} is {seen} after {seconds:g} s\n{self.compose('logs', check=False)}")
            time.sleep(0.2)

    def inside(self, service: str, *command: str, check: bool = True) -> str:
        """What a command prints inside a running container."""
        return self.compose("exec", "--no-TTY", service, *command, check=check)

    def rows(self, query: str) -> list[list[str]]:
        """What the database holds, asked inside its own container and not through the service."""
        printed = self.inside("db", "psql", "-U", "segmentation", "-d", "segmentation", "-At", "-c", query)
        return [line.split("|") for line in printed.splitlines()]

    def get(self, path: str, key: str | None = None) -> Answer:
        return self._ask("GET", path, None, key)

    def post(self, path: str, body: object, key: str | None = None) -> Answer:
        return self._ask("POST", path, json.dumps(body).encode(), key)

    def wait_for(self, path: str, wanted: Callable[[Answer], bool], seconds: float, key: str | None = None) -> Answer:
        """Ask until the answer is the one wanted. Fails with the last answer and the logs."""
        deadline = time.monotonic() + seconds
        last: Answer | OSError | None = None
        while time.monotonic() < deadline:
            try:
                last = self.get(path, key)
                if wanted(last):
                    return last
            except OSError as error:
                last = error
            time.sleep(0.2)
        logs = self.compose("logs", "--no-color", check=False)
        raise AssertionError(f"{path}: not as wanted within {seconds:g} s: {last}\n{logs}")

    def _ask(self, method: str, path: str, body: bytes | None, key: str | None) -> Answer:
        headers = {"content-type": "application/json"} if body else {}
        headers |= {"authorization": f"Bearer {key}"} if key else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, json.load(answer))
        finally:
            connection.close()


def run(
    command: list[str], environment: dict[str, str] | None = None, *, check: bool = True, timeout: float = 300
) -> str:
    """Output and errors of a command. Raises AssertionError with both where it failed and should not have."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def has_engine() -> bool:
    """Whether a Docker engine answers."""
    try:
        return subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def has_bridge() -> bool:
    """Whether containers can have a network of their own."""
    return bool(run(["docker", "network", "ls", "--quiet", "--filter", "driver=bridge"]).strip())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
