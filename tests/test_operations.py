"""The newcomer's path in docs/operations.md, followed word for word where nothing was installed before."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.containers.stack import free_port
from tests.test_docs import FENCED, ROOT, text_of

OPERATIONS = "docs/operations.md"
PATIENCE = 1_800.0  # seconds; an installation without a cache takes minutes


def path_of(heading: str) -> str:
    """The commands under a heading of the newcomer's path, as one script that stops at the first that fails."""
    text = text_of(OPERATIONS)
    section = re.split(r"^#{2,3} ", text.partition(f"\n### {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = [found.group(2) for found in FENCED.finditer(section) if found.group(1) == "sh"]
    assert blocks
    # Jobs by their number, %1, as in the shell of a person.
    return "set -e -u -o pipefail -m\n" + "".join(blocks)


def checkout(folder: Path) -> Path:
    """The project's files as somebody gets who clones it: nothing installed, nothing trained."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def follow(script: str, folder: Path, port: int, **variables: str) -> str:
    """What the commands print, run in a folder. The path's port is 8000; here it is one that is free.

    Raises AssertionError with all of it where a command fails.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SEGMENTATION_", "PYTHON"))}
    process = subprocess.Popen(
        ["bash", "-c", script.replace("127.0.0.1:8000", f"127.0.0.1:{port}")],
        cwd=folder, env={**clean, "SEGMENTATION_PORT": str(port), **variables}, text=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        printed, _ = process.communicate(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, printed
    return printed


@pytest.mark.newcomer
def test_a_newcomer_gets_from_a_checkout_to_a_stored_answer(tmp_path: Path) -> None:
    said = follow(path_of("Without containers"), checkout(tmp_path), free_port())
    assert '"status":"ready"' in said.replace(" ", "")
    # The answer, and the same found again.
    assert len(re.findall(r'"assignment_id": ?"(\w+)"', said)) == 2
    assert len(set(re.findall(r'"assignment_id": ?"(\w+)"', said))) == 1


def test_the_paths_are_commands_that_a_shell_understands() -> None:
    for heading in ("Without containers", "With containers"):
        subprocess.run(["bash", "-n", "-c", path_of(heading)], check=True)
