"""The service as the image runs it: `python -m benchmarks.compiled` makes build/compiled, unless it is up to date.

service/compiled.txt lists the modules that mypyc makes libraries of. Python imports a library before the source beside
it.
"""

import fcntl
import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("models", "service")
LISTED = ROOT / "service" / "compiled.txt"
TREE = ROOT / "build" / "compiled"
MADE_FROM = ".made-from"
NO_SOURCES = shutil.ignore_patterns("artifacts", "__pycache__")
OPTIMIZED = {"MYPYC_OPT_LEVEL": "3", "MYPYC_DEBUG_LEVEL": "0"}


def where_to_run() -> Path:
    """The folder to start the service in: the compiled tree, made anew where anything it is made from has changed."""
    if missing := _missing():
        sys.stderr.write(f"There is no {missing} here, so the service runs uncompiled, slower than in its image.\n")
        return ROOT
    with _alone():
        made_from = _digest()
        if not _is_made_from(made_from):
            _compile(made_from)
    return TREE


def _missing() -> str:
    """What is needed to compile and is not there."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        return f"C compiler ({compiler})"
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        return f"Python.h of Python {sysconfig.get_python_version()}"
    return "" if importlib.util.find_spec("setuptools") else "setuptools"


def _digest() -> str:
    """Of all that the tree is made from. Contents and not times: a checkout touches files without changing them."""
    found = hashlib.sha256(f"{sys.version}{sysconfig.get_platform()}".encode())
    for path in sorted([*_sources(), ROOT / "requirements-development.lock", Path(__file__)]):
        content = path.read_bytes()
        found.update(f"{path.relative_to(ROOT)} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


def _sources() -> Iterator[Path]:
    for package in PACKAGES:
        for folder, folders, names in os.walk(ROOT / package):
            folders[:] = set(folders) - NO_SOURCES(folder, folders)
            yield from (Path(folder, name) for name in names)


def _is_made_from(digest: str) -> bool:
    note = TREE / MADE_FROM
    return note.is_file() and note.read_text() == digest


def _compile(digest: str) -> None:
    sys.stderr.write("Compiling for a minute or two: build/compiled\n")
    making = TREE.with_name("compiling")
    shutil.rmtree(making, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, making / package, ignore=NO_SOURCES)
    command = [
        sys.executable,
        "-m",
        "mypyc",
        "--config-file",
        str(ROOT / "pyproject.toml"),
        *LISTED.read_text().split(),
    ]
    done = subprocess.run(
        command,
        cwd=making,
        env={**os.environ, **OPTIMIZED},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{done.stdout}\nmypyc could not compile what service/compiled.txt lists.")
    for left_over in ("build", ".mypy_cache"):
        shutil.rmtree(making / left_over, ignore_errors=True)
    (making / MADE_FROM).write_text(digest)
    shutil.rmtree(TREE, ignore_errors=True)
    making.rename(TREE)


@contextmanager
def _alone() -> Iterator[None]:
    """One process at a time compiles; who waited finds the tree made."""
    TREE.parent.mkdir(exist_ok=True)
    with (TREE.parent / ".compiling").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    raise SystemExit(where_to_run() != TREE)
