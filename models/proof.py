"""Prove that an artifact's pickled pipeline and its arrays say the same, in a process that holds nothing else.

Run as `python -m models.proof DIRECTORY`: exit code 0 and nothing printed where the artifact is sound, 1 and one
sentence where it is not. Unpickling runs code chosen by whoever made the file; so the classes it may name are on
a list here in the code, and the process that holds customers' data never does it.
"""

import importlib.metadata
import io
import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler
from pydantic import ValidationError

from models.artifact import PIPELINE, Artifact, read_artifact
from models.errors import ArtifactRefused, ModelError
from models.model import SegmentationModel

if sys.platform != "win32":
    import resource

MUST_EQUAL = ("scikit-learn",)  # its pickles hold private attributes that change between releases
SAME_MAJOR = ("numpy",)
# A proof takes 300 MB of which most is libraries, a few seconds, and writes nothing.
BOUNDS = {"RLIMIT_DATA": 768 * 1024 * 1024, "RLIMIT_CPU": 60, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0}

ALLOWED = frozenset(
    {
        ("sklearn.pipeline", "Pipeline"),
        ("sklearn.preprocessing._function_transformer", "FunctionTransformer"),
        ("sklearn.preprocessing._data", "StandardScaler"),
        ("sklearn.preprocessing._polynomial", "PolynomialFeatures"),
        ("sklearn.cluster._kmeans", "KMeans"),
        ("numpy", "clip"),
        ("numpy", "log1p"),
        ("numpy", "dot"),
        ("numpy", "dtype"),
        ("numpy", "ndarray"),
        ("numpy._core.multiarray", "scalar"),
        ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    }
)


class _PlainArray(NumpyArrayWrapper):  # type: ignore[misc]
    """An array stored by joblib. One of Python objects would be read by an unrestricted pickle: refused."""

    def read_array(self, unpickler: Any, ensure_native_byte_order: bool = False) -> Any:
        if self.dtype.hasobject:
            raise pickle.UnpicklingError("an array of Python objects is not allowed")
        return super().read_array(unpickler, ensure_native_byte_order)


class _ListedUnpickler(NumpyUnpickler):  # type: ignore[misc]
    """Finds classes on the allow-list and no others."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no pipeline needs")
        return _PlainArray if name == "NumpyArrayWrapper" else super().find_class(module, name)


def unpickle(data: bytes) -> Any:
    """The pipeline in joblib's format. Raises ArtifactRefused for anything that is not one."""
    try:
        return _ListedUnpickler("", io.BytesIO(data), ensure_native_byte_order=False).load()
    except Exception as error:  # a forged pickle can raise anything at all
        raise ArtifactRefused(f"{PIPELINE} is not a pipeline this software may load: {_said(error)}") from error


def check_versions(artifact: Artifact) -> None:
    """Raise ArtifactRefused where the libraries here are not those the model was trained with."""
    trained = artifact.manifest.libraries
    for name in (*MUST_EQUAL, *SAME_MAJOR):
        here = importlib.metadata.version(name)
        same = trained.get(name) == here if name in MUST_EQUAL else _major(trained.get(name, "")) == _major(here)
        if not same:
            raise ArtifactRefused(
                f"model {artifact.version} was trained with {name} {trained.get(name, '(unknown)')}, here is {here}; "
                "train it again here, or serve it with the versions it was trained with"
            )


def prove(artifact: Artifact) -> None:
    """Raise ArtifactRefused unless pipeline, arrays and reference sample agree for every reference customer."""
    check_versions(artifact)
    model = SegmentationModel.of(artifact)
    pipeline = unpickle(artifact.files[PIPELINE])
    reference = model.reference
    try:
        clusters = pipeline.predict(np.array(reference.values))
    except Exception as error:  # whatever it is, it is not the pipeline that was trained
        raise ArtifactRefused(f"model {artifact.version}: the pipeline cannot predict: {_said(error)}") from error
    placed = model.scorer.place_many(np.array(reference.values)).nearest
    ids = np.array(model.scorer.arrays.segment_ids)
    if not np.array_equal(clusters, placed) or not np.array_equal(ids[placed], np.array(reference.segment_ids)):
        wrong = int(np.count_nonzero(np.asarray(clusters) != placed))
        raise ArtifactRefused(
            f"model {artifact.version}: pipeline and arrays disagree on {wrong} of {len(placed)} reference customers"
        )


def main(arguments: list[str]) -> int:
    """Prove the artifact in the directory given; the signature was the caller's to check."""
    _bound_this_process()
    try:
        prove(read_artifact(Path(arguments[0])))
    except (ModelError, ValidationError) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    except MemoryError:
        sys.stdout.write(f"model {Path(arguments[0]).name} needs more memory than proving it may take\n")
        return 1
    return 0


def _bound_this_process() -> None:
    """A few bytes of a pickle can ask for an array of terabytes, or for hours of arithmetic."""
    if sys.platform == "win32":
        return
    for limit, most in BOUNDS.items():
        with suppress(ValueError, OSError):  # a system without that limit, or with a lower one
            resource.setrlimit(getattr(resource, limit), (most, most))


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _major(version: str) -> str:
    return version.partition(".")[0]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(main(sys.argv[1:]))
