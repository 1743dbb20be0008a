"""The service in a process of its own, for measurements: compiled, as the image runs it, where that is possible."""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.compiled import where_to_run
from benchmarks.server import Server

SERVE = ["-m", "service", "serve"]


class Service(Server):
    """`python -m service serve` with more options, if any."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path, *options: str) -> None:
        super().__init__(name, [*SERVE, *options], environment, folder, runs_in=where_to_run())
