"""Folders that take long to make, made once for all processes that run tests beside each other."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder that `make` fills, by whichever process comes first; the others wait. Never to be changed by a test.

    It gets its name when it is whole, so nothing in it may name the folder.
    """
    own = factory.getbasetemp()
    everyones = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, partial = everyones / name, everyones / f"{name}.partial"
    with (everyones / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(folder)
    return folder
