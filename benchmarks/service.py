"""The service in a process of its own, for measurements."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.server import Server

SERVE = ["-m", "service", "serve"]


class Service(Server):
    """`python -m service serve` with more options, if any."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path, *options: str) -> None:
        super().__init__(name, [*SERVE, *options], environment, folder)
