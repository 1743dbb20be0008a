"""Have a model proved before it is first served: in a process of its own, remembered by digest."""

import hashlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

import models
from models.artifact import Artifact
from models.errors import ArtifactRefused
from service.store.errors import StoreUnavailable
from service.store.reader import Reader
from service.store.verification import remember_verified

if sys.platform != "win32":
    import fcntl

PATIENCE = 120.0  # seconds; importing scikit-learn takes about two
LIBRARIES = ("scikit-learn", "numpy", "joblib")


class Prover:
    """Proves artifacts with `models.proof`, and remembers in the store which were."""

    def __init__(self, engine: sa.Engine, reader: Reader) -> None:
        self._engine = engine
        self._reader = reader

    def prove(self, artifact: Artifact, directory: Path, now: datetime) -> None:
        """Raise ArtifactRefused unless the artifact in the directory is sound. Takes seconds the first time.

        A proof holds for the artifact's digest and the library versions here; where the store cannot say whether
        there was one, it is made again.
        """
        libraries = " ".join(f"{name}=={importlib.metadata.version(name)}" for name in LIBRARIES)
        digest = hashlib.sha256(f"{artifact.digest} {libraries}".encode()).hexdigest()
        if self._known(digest):
            return
        with _one_at_a_time(directory):
            if self._known(digest):
                return
            _run_proof(artifact.version, directory)
            # Where it cannot be remembered it is proved all the same, and once more at the next start.
            with suppress(StoreUnavailable):
                remember_verified(self._engine, digest, artifact.version, now, libraries)

    def _known(self, digest: str) -> bool:
        try:
            return self._reader.verified(digest)
        except StoreUnavailable:
            return False


@contextmanager
def _one_at_a_time(directory: Path) -> Iterator[None]:
    """Of several workers that see a new model one proves it, which takes 150 MB; the others wait and find it proved."""
    if sys.platform == "win32":
        yield
        return
    try:
        handle = os.open(directory, os.O_RDONLY)
    except OSError as error:
        raise ArtifactRefused(f"model {directory.name} cannot be read: {error.strerror}") from error
    try:
        with suppress(OSError):  # a file system without locks: then each proves it
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _run_proof(version: str, directory: Path) -> None:
    # Nothing of this process's environment goes along: it holds the database's password.
    code = Path(models.__file__).parent.parent
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # each thread more wants memory
    environment = {**single, "PYTHONPATH": str(code), "PATH": os.environ.get("PATH", "")}
    try:
        done = subprocess.run(  # noqa: S603  (our own interpreter and module, no shell)
            [sys.executable, "-m", "models.proof", str(directory.resolve())],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactRefused(f"model {version}: proving it took longer than {PATIENCE:g} seconds") from error
    if done.returncode == 0:
        return
    if said := done.stdout.strip():
        raise ArtifactRefused(said)
    last = done.stderr.strip().rsplit("\n", 1)[-1]  # not of the proof, but of what broke it
    raise ArtifactRefused(f"model {version}: its proof ended with exit code {done.returncode}", reason=last)
