"""`python -m service invite`: the address and a request to try, once the service answers."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

from benchmarks.server import free_port
from tests.service.commands.processes import run_beside
from tests.service.server import ROOT, server

KEY = "0123456789abcdef0123456789abcdef"


def test_the_request_it_prints_is_answered(sqlite_url: str, models_dir: Path) -> None:
    with server(database_url=sqlite_url, models_dir=models_dir) as running:
        done = run_beside(running.port, "invite")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"\nServing on {running.url}   (what it can do: {running.url}/docs; ")
        (command,) = re.findall(r"^  (curl .*)$", done.stdout, re.MULTILINE)
        answered = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True).stdout
    assert json.loads(answered)["assignment_id"]


def test_with_a_key_the_request_names_the_variable_that_holds_it_and_is_answered(
    sqlite_url: str, models_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    path.chmod(0o600)
    for given in ({"api_key": KEY}, {"api_key_file": path}):
        with server(database_url=sqlite_url, models_dir=models_dir, **given) as running:
            done = run_beside(running.port, "invite", **given)
            assert done.returncode == 0, done.stderr
            assert KEY not in done.stdout
            (command,) = re.findall(r"^  (curl .*)$", done.stdout, re.MULTILINE)
            variables = {f"SEGMENTATION_{name.upper()}": str(value) for name, value in given.items()}
            shell = ["bash", "-c", command]
            answered = subprocess.run(shell, env={"PATH": "/usr/bin:/bin", **variables}, capture_output=True, text=True)
        assert json.loads(answered.stdout)["assignment_id"]


def test_it_says_what_a_service_lacks_that_cannot_answer(sqlite_url: str, tmp_path: Path) -> None:
    with server(database_url=sqlite_url, models_dir=tmp_path / "none") as running:
        done = run_beside(running.port, "invite")
    assert done.returncode == 1
    assert done.stdout.startswith(f"\nServing on {running.url} ")
    assert done.stderr.startswith("It cannot answer yet: ")


def test_it_ends_when_the_process_that_started_it_ends() -> None:
    # The pipe is closed once both have ended: the shell at once, and the command because of that.
    script = f"{shlex.quote(sys.executable)} -m service invite & sleep 2"
    environment = {"SEGMENTATION_PORT": str(free_port())}
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
