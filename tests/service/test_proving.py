"""A model is proved in a process of its own before it is first served, and never again."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from models.artifact import read_artifact
from service.proving import Prover
from service.store.database import open_engine
from service.store.reader import Reader
from service.store.schema import verified_models
from tests.published import Published
from tests.service import forgery
from tests.service.server import ROOT
from tests.service.serving import NOW, serving, settings_for


def proved(url: str) -> list[tuple[object, ...]]:
    """Which versions the store remembers to be proved, and since when."""
    engine = open_engine(url)
    with engine.connect() as connection:
        query = sa.select(verified_models.c.version, verified_models.c.verified_at)
        rows = [tuple(row) for row in connection.execute(query)]
    engine.dispose()
    return rows


def test_a_proof_is_remembered_and_not_made_again(database_url: str, models_dir: Path, published: Published) -> None:
    with serving(settings_for(database_url, models_dir)) as client:
        assert client.get("/health/ready").status_code == 200
    assert proved(database_url) == [(published.first, NOW)]
    # Proving again would remember the later moment.
    with serving(settings_for(database_url, models_dir), clock=lambda: NOW + timedelta(days=1)) as client:
        assert client.get("/health/ready").status_code == 200
    assert proved(database_url) == [(published.first, NOW)]


def test_a_refused_model_is_not_remembered(sqlite_url: str, own_models_dir: Path, published: Published) -> None:
    before = proved(sqlite_url)
    version = forgery.other_pipeline(own_models_dir, published.second)
    with serving(settings_for(sqlite_url, own_models_dir)) as client:
        assert client.post(f"/models/{version}/activate").status_code == 409
    assert proved(sqlite_url) == before


def test_the_process_that_proves_is_told_nothing_of_the_database(
    sqlite_url: str, own_models_dir: Path, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", "postgresql://user:secret@host/name")
    seen = tmp_path / "environment"
    monkeypatch.setattr("sys.executable", str(_reporting(tmp_path, seen)))
    version = forgery.republished(own_models_dir, published.second, seed=7)
    with serving(settings_for(sqlite_url, own_models_dir)) as client:
        client.post(f"/models/{version}/activate")
    assert "PYTHONPATH" in seen.read_text()
    assert "secret" not in seen.read_text()


def test_the_process_that_proves_opens_nothing_once_it_unpickles(models_dir: Path, published: Published) -> None:
    """Whatever a pickle may do, as any user: neither the environment of the process that waits nor a socket."""
    directory = models_dir / published.first
    for attempt in ("open(f'/proc/{os.getppid()}/environ')", "socket.socket()", "os.pipe()", "os.listdir('/proc')"):
        program = (
            "import os, socket, sys; import models.proof as proof;"
            f" proof.unpickle = lambda data: {attempt}; proof.main(sys.argv[1:])"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(directory)],
            cwd=ROOT, env={"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "OSError: [Errno 24] Too many open files" in done.stderr, attempt


# As root, a process may read all others: so it becomes nobody, whom the system then tells apart from itself no more.
INSPECTED = """
import ctypes, os
from service.inspection import PR_SET_DUMPABLE, forbid_inspection

if os.getuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as it is where a process starts as that user

def outcome(path):
    child = os.fork()
    if child == 0:
        try:
            with open(f"/proc/{os.getppid()}/{path}", "rb") as file:
                file.read(1)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

print(outcome("environ"), outcome("maps"))
forbid_inspection()
print(outcome("environ"), outcome("maps"), outcome("mem"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such files")
def test_no_process_of_the_same_user_can_read_the_services_environment() -> None:
    done = subprocess.run([sys.executable, "-c", INSPECTED], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["0 0", "1 1 1"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such files")
@pytest.mark.parametrize("module", ["service", "service.store.scribe_main"])
def test_every_process_of_the_service_forbids_to_be_read(module: str) -> None:
    program = (
        "import ctypes, runpy, socket, sys; ends = socket.socketpair(); ends[1].close();"
        f" sys.argv = ['', 'settings' if {module!r} == 'service' else str(ends[0].detach())]\n"
        f"try: runpy.run_module({module!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('dumpable', ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"  # PR_GET_DUMPABLE
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "dumpable 0"


def _reporting(folder: Path, seen: Path) -> Path:
    """A stand-in for the interpreter that writes down its environment."""
    script = folder / "python"
    script.write_text(f"#!/bin/sh\nenv > {seen}\n")
    script.chmod(0o755)
    return script


def test_a_proof_that_breaks_down_refuses_the_model(
    sqlite_url: str,
    own_models_dir: Path,
    published: Published,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho 'no memory in /telltale' >&2\nexit 137\n")
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    version = forgery.republished(own_models_dir, published.second, seed=7)
    with serving(settings_for(sqlite_url, own_models_dir)) as client:
        response = client.post(f"/models/{version}/activate")
    assert response.status_code == 409
    assert response.json()["detail"] == f"model {version}: its proof ended with exit code 137"
    assert "no memory in /telltale" in caplog.text


def test_of_workers_that_see_a_new_model_at_once_one_proves_it(
    database_url: str, models_dir: Path, published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen, script = tmp_path / "proofs", tmp_path / "python"
    script.write_text(f'#!/bin/sh\necho proof >> {seen}\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    directory = models_dir / published.first
    artifact = read_artifact(directory)
    engines = [open_engine(database_url) for _ in range(3)]
    with ThreadPoolExecutor(len(engines)) as pool:
        list(pool.map(lambda engine: Prover(engine, Reader(engine)).prove(artifact, directory, NOW), engines))
    for engine in engines:
        engine.dispose()
    assert seen.read_text() == "proof\n"
    assert proved(database_url) == [(published.first, NOW)]
