"""Prove that an artifact's pickled pipeline and its arrays say the same, in a process that holds nothing else.

Run as `python -m models.proof DIRECTORY`: exit code 0 and nothing printed where the artifact is sound, 1 and one
sentence where it is not. Unpickling runs code chosen by whoever made the file; so what it may name, call and give state
to is on a list here in the code, and the process that holds customers' data never does it.
"""

import importlib.metadata
import io
import os
import pickle
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from joblib.numpy_pickle import NumpyArrayWrapper, NumpyUnpickler
from pydantic import ValidationError
from sklearn.cluster import KMeans
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

from models.artifact import PIPELINE, Artifact, read_artifact
from models.errors import ArtifactRefused, ModelError
from models.model import SegmentationModel

if sys.platform != "win32":
    import resource

MUST_EQUAL = ("scikit-learn",)  # its pickles hold private attributes that change between releases
SAME_MAJOR = ("numpy",)
# A proof takes 300 MB of which most is libraries, a few seconds, and writes nothing.
# The limits: bytes of memory, seconds of processor, bytes in a file that is written, bytes of a core dump.
BOUNDS = {"RLIMIT_DATA": 768 * 1024 * 1024, "RLIMIT_CPU": 60, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0}

ESTIMATORS = (Pipeline, FunctionTransformer, StandardScaler, PolynomialFeatures, KMeans)
MOST_THREADS = 1_024  # more than any machine that trains has

# The one form of state that a plain type of numbers is pickled with: no fields, no shape, no names, no metadata.
PLAIN_STATES = frozenset((3, order, None, None, None, -1, -1, 0) for order in "<|")
_ARRAY = object()  # what a pickle gets for numpy.ndarray: it only names it, and could call it


def _plain_dtype(name: str, align: bool = False, copy: bool = True) -> np.dtype[Any]:
    """What a pickle gets for numpy.dtype: types of plain numbers, by names such as f8. A type of another kind can say
    in its state that bytes from the file are addresses of Python objects."""
    if type(name) is not str or re.fullmatch("[fiub][1248]", name) is None or (align, copy) != (False, True):
        raise pickle.UnpicklingError("a type other than plain numbers is not allowed")
    return np.dtype(name)


def _plain_scalar(dtype: np.dtype[Any], data: bytes) -> Any:
    """What a pickle gets for numpy's scalars."""
    if not isinstance(dtype, np.dtype) or type(data) is not bytes or len(data) != dtype.itemsize:
        raise pickle.UnpicklingError("a scalar other than a plain number is not allowed")
    return np.frombuffer(data, dtype)[0]


class _PlainArray(NumpyArrayWrapper):  # type: ignore[misc]
    """An array of plain numbers stored by joblib, which would read one of Python objects by a pickle of its own."""

    def __init__(self) -> None:
        """It is made by its state alone."""

    def __setstate__(self, state: Any) -> None:
        known = {"subclass", "shape", "order", "dtype", "allow_mmap", "numpy_array_alignment_bytes"}
        plain = (
            type(state) is dict
            and set(state) == known
            and state["subclass"] is _ARRAY
            and isinstance(state["dtype"], np.dtype)
            and type(state["shape"]) is tuple
            and all(type(length) is int and length >= 0 for length in state["shape"])
            and state["order"] in ("C", "F")
        )
        if not plain:
            raise pickle.UnpicklingError("an array other than of plain numbers is not allowed")
        self.__dict__.update(state, subclass=np.ndarray)


ALLOWED = {
    ("sklearn.pipeline", "Pipeline"): Pipeline,
    ("sklearn.preprocessing._function_transformer", "FunctionTransformer"): FunctionTransformer,
    ("sklearn.preprocessing._data", "StandardScaler"): StandardScaler,
    ("sklearn.preprocessing._polynomial", "PolynomialFeatures"): PolynomialFeatures,
    ("sklearn.cluster._kmeans", "KMeans"): KMeans,
    ("numpy", "clip"): np.clip,
    ("numpy", "log1p"): np.log1p,
    ("numpy", "dot"): np.dot,
    ("numpy", "dtype"): _plain_dtype,
    ("numpy", "ndarray"): _ARRAY,
    ("numpy._core.multiarray", "scalar"): _plain_scalar,
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _PlainArray,
}
# What no pipeline needs: other ways to make an instance, to name a class, and to share memory.
REFUSED_OPCODES = (
    pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.PERSID, pickle.BINPERSID,
    pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER,
)  # fmt: skip


class _ListedUnpickler(NumpyUnpickler):  # type: ignore[misc]
    """Finds what is on the list and nothing else, calls only what makes a plain number, and gives state to estimators,
    plain arrays and plain types alone."""

    dispatch = NumpyUnpickler.dispatch.copy()

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no pipeline needs")
        return ALLOWED[module, name]

    def load_reduce(self) -> None:
        if self.stack[-2] not in (_plain_dtype, _plain_scalar):
            raise pickle.UnpicklingError("it calls what no pipeline needs to call")
        super().load_reduce()

    def load_newobj(self) -> None:
        made, arguments = self.stack[-2:]
        if made not in (*ESTIMATORS, _PlainArray) or arguments != ():
            raise pickle.UnpicklingError("it makes an instance of what no pipeline has")
        super().load_newobj()

    def load_build(self) -> None:
        built, state = self.stack[-2:]
        if isinstance(built, np.dtype):
            if type(state) is not tuple or state not in PLAIN_STATES:
                raise pickle.UnpicklingError("a type with a state of its own is not allowed")
            self.stack.pop()  # it says no more than the name did
            return
        if type(built) not in (*ESTIMATORS, _PlainArray) or type(state) is not dict:
            raise pickle.UnpicklingError("it gives state to what has none")
        super().load_build()
        if isinstance(built, KMeans):
            _check_clusters(built)

    def refuse(self) -> None:
        raise pickle.UnpicklingError("it has an opcode that no pipeline needs")

    dispatch |= dict.fromkeys((opcode[0] for opcode in REFUSED_OPCODES), refuse)
    dispatch |= {pickle.REDUCE[0]: load_reduce, pickle.NEWOBJ[0]: load_newobj, pickle.BUILD[0]: load_build}


def _check_clusters(clusters: KMeans) -> None:
    """What is compiled in it goes by these without asking whether they fit."""
    centers, features, threads = clusters.cluster_centers_, clusters.n_features_in_, clusters._n_threads
    fits = isinstance(centers, np.ndarray) and centers.ndim == 2 and type(features) is int
    if not fits or centers.shape[1] != features or type(threads) is not int or not 1 <= threads <= MOST_THREADS:
        raise pickle.UnpicklingError("its clusters do not fit its features")


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


def prove(artifact: Artifact, confine: Callable[[], None] = lambda: None) -> None:
    """Raise ArtifactRefused unless pipeline, arrays and reference sample agree for every reference customer.

    `confine` is called once nothing but the pickle is left to be loaded.
    """
    check_versions(artifact)
    model = SegmentationModel.of(artifact)
    confine()
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
        prove(read_artifact(Path(arguments[0])), _open_nothing_more)
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


def _open_nothing_more() -> None:
    """From now on no file, socket or pipe can be opened here; what the libraries load when first used is loaded before.

    The environment of the process that waits for the proof, where the database's password may be, is a file under
    /proc. That process forbids to have it read (`service.inspection`); this holds where that does not, as under root.
    """
    steps = [FunctionTransformer(np.log1p), StandardScaler(), PolynomialFeatures(), KMeans(2, n_init=1)]
    make_pipeline(*steps).fit(np.eye(2)).predict(np.eye(2))
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _major(version: str) -> str:
    return version.partition(".")[0]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(main(sys.argv[1:]))
