"""Commands run as processes beside a running service, as the image and the Makefile run them."""

import os
import subprocess
import sys

from tests.service.server import ROOT


def run_beside(port: int, command: str, **settings: object) -> "subprocess.CompletedProcess[str]":
    """The finished process of `python -m service COMMAND`, with the port and these settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SEGMENTATION_")}
    given = {f"SEGMENTATION_{name.upper()}": str(value) for name, value in {"port": port, **settings}.items()}
    return subprocess.run(
        [sys.executable, "-m", "service", command],
        cwd=ROOT, env=inherited | given, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
