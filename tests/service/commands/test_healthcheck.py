"""`python -m service healthcheck`, as the image's HEALTHCHECK runs it."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.server import free_port
from tests.service.commands.processes import run_beside
from tests.service.server import ROOT, server


def test_a_ready_service_is_healthy_at_whatever_address_it_listens_on(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir, host="0.0.0.0", allow_no_key=True) as running:
        done = run_beside(running.port, "healthcheck", host="0.0.0.0")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "ready"


def test_a_service_that_is_not_ready_is_unhealthy_and_its_answer_is_printed(sqlite_url: str, tmp_path: Path) -> None:
    with server(database_url=sqlite_url, models_dir=tmp_path / "none") as running:
        done = run_beside(running.port, "healthcheck")
    assert done.returncode == 1
    assert json.loads(done.stdout)["status"] == 503


def test_a_service_that_does_not_run_is_unhealthy_and_the_address_is_named() -> None:
    port = free_port()
    done = run_beside(port, "healthcheck")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"http://127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_health_check_imports_no_framework_and_no_numbers() -> None:
    heavy = ["fastapi", "uvicorn", "sqlalchemy", "numpy"]
    code = (
        "import sys; from service.__main__ import main; main(['healthcheck']); "
        f"print(*(name for name in {heavy} if name in sys.modules))"
    )
    environment = {"SEGMENTATION_PORT": str(free_port())}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
