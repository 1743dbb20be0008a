"""Damage to published models: what disks, copies and people with bad intentions do."""

import io
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np

from models.artifact import MANIFEST, PIPELINE, SCORER, read_artifact, write_artifact
from models.manifest import FileRecord, Manifest


class Command:
    """Pickles as an order to run a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


def republished(models_dir: Path, version: str, files: Mapping[str, bytes] | None = None, **changes: Any) -> str:
    """A new version with other files or another manifest, every digest in order: only looking deeper can find it."""
    artifact = read_artifact(models_dir / version)

    def manifest(records: Mapping[str, FileRecord]) -> Manifest:
        return artifact.manifest.model_copy(update={**changes, "files": dict(records)})

    return write_artifact(models_dir, {**artifact.files, **(files or {})}, manifest)


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    path.write_bytes(data)


def forged_pickle(command: str) -> bytes:
    return pickle.dumps(Command(command))


def hidden_pickle(command: str) -> bytes:
    """An array of Python objects, which joblib reads by a pickle of its own within the pickle."""
    written = io.BytesIO()
    joblib.dump(np.array([Command(command)], dtype=object), written)
    return written.getvalue()


class Call:
    """Pickles as a call of a function with the arguments given."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


def _packed(compress: tuple[str, int]) -> Callable[[], bytes]:
    """Much in little, packed as joblib does on demand."""

    def pickled() -> bytes:
        written = io.BytesIO()
        joblib.dump(bytes(256 * 1024 * 1024), written, compress=compress)
        return written.getvalue()

    return pickled


# Small files that want a great deal once they are loaded; the functions are ones that a pipeline may name.
BOMBS: Mapping[str, Callable[[], bytes]] = {
    "packed by zlib": _packed(("zlib", 6)),
    "packed by lzma": _packed(("xz", 1)),
    "an array of a gigabyte": lambda: pickle.dumps(Call(np.log1p, Call(np.ndarray, (2**27,)))),
    "an array of a terabyte": lambda: pickle.dumps(Call(np.log1p, Call(np.ndarray, (2**37,)))),
    "a product of two": lambda: pickle.dumps(Call(np.dot, Call(np.ndarray, (2**16, 1)), Call(np.ndarray, (1, 2**16)))),
    "a size beyond all": lambda: pickle.dumps(Call(np.ndarray, (2**62,))),
    "nested without end": lambda: pickle.PROTO + b"\x02" + b"(" * 10_000_000,
}


def other_pipeline(models_dir: Path, version: str) -> str:
    """The arrays of a model with a pipeline whose clusters stand in another order."""
    pipeline = joblib.load(io.BytesIO(read_artifact(models_dir / version).files[PIPELINE]))
    cluster = pipeline.named_steps["cluster"]
    cluster.cluster_centers_ = np.ascontiguousarray(cluster.cluster_centers_[::-1])
    written = io.BytesIO()
    joblib.dump(pipeline, written)
    return republished(models_dir, version, {PIPELINE: written.getvalue()})


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def become_a_link(path: Path) -> None:
    elsewhere = path.parent.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def become_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def become_an_empty_object(path: Path) -> None:
    path.write_text("{}")


def tell_of_more_customers(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace('"customers": ', '"customers": 1', 1), "utf-8")


# What is done to one file of a version, and what is then said of it.
DAMAGES: Mapping[str, tuple[str, Callable[[Path], None], str]] = {
    **{
        f"a flipped bit in {name}": (name, flip_a_byte, name)
        for name in (MANIFEST, PIPELINE, SCORER, "segments.json", "playbooks.json", "reference.json", "products.json")
    },
    "a truncated pipeline": (PIPELINE, truncate, "it was cut short or replaced"),
    "an edited manifest": (MANIFEST, tell_of_more_customers, "manifest.json was changed after training"),
    "an empty manifest": (MANIFEST, become_an_empty_object, "is not one this software writes"),
    "a missing file": (SCORER, Path.unlink, "scorer.json cannot be read: No such file"),
    "a link for a file": (PIPELINE, become_a_link, "pipeline.joblib cannot be read"),
    "a folder for a file": (PIPELINE, become_a_folder, "pipeline.joblib is not a file"),
    "a pipe for a file": (PIPELINE, become_a_pipe, "pipeline.joblib is not a file"),
}
