"""A pickle is read as a pipeline of plain numbers or refused, whatever its opcodes try."""

import io
import pickle
import random
import struct
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import joblib
import numpy as np
import pytest
import sklearn

from models.artifact import PIPELINE, read_artifact
from models.errors import ArtifactRefused
from models.proof import ALLOWED, unpickle
from tests.published import Published
from tests.service import forgery

# A small assembler of pickles. A value is the opcodes that put it on the stack.
NONE, TRUE, FALSE, EMPTY = pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE, pickle.EMPTY_TUPLE
REDUCE, NEWOBJ, BUILD = pickle.REDUCE, pickle.NEWOBJ, pickle.BUILD
VERSION = sklearn.__version__
ROUNDS = 500


def named(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def value(plain: Any) -> bytes:
    """Opcodes of a text, bytes, a number, None, a tuple or a dict; bytes that are opcodes already are in a list."""
    if isinstance(plain, list):
        return b"".join(plain)
    if isinstance(plain, tuple):
        return pickle.MARK + b"".join(map(value, plain)) + pickle.TUPLE
    if isinstance(plain, dict):
        pairs = b"".join(value(name) + value(held) for name, held in plain.items())
        return pickle.EMPTY_DICT + pickle.MARK + pairs + pickle.SETITEMS
    if plain is None or isinstance(plain, bool):
        return {None: NONE, True: TRUE, False: FALSE}[plain]
    if isinstance(plain, int):
        return pickle.BININT + struct.pack("<i", plain)
    data = plain.encode() if isinstance(plain, str) else plain
    return (pickle.BINUNICODE if isinstance(plain, str) else pickle.BINBYTES) + struct.pack("<I", len(data)) + data


def whole(opcodes: bytes) -> bytes:
    return pickle.PROTO + b"\x04" + opcodes + pickle.STOP


def call(function: bytes, *arguments: Any) -> bytes:
    return function + value(arguments) + REDUCE


def with_state(made: bytes, state: Any) -> bytes:
    return made + value(state) + BUILD


DTYPE, NDARRAY, SCALAR = named("numpy", "dtype"), named("numpy", "ndarray"), named("numpy._core.multiarray", "scalar")
CLIP, LOG1P, DOT = named("numpy", "clip"), named("numpy", "log1p"), named("numpy", "dot")
KMEANS, PIPE = named("sklearn.cluster._kmeans", "KMeans"), named("sklearn.pipeline", "Pipeline")
WRAPPER = named("joblib.numpy_pickle", "NumpyArrayWrapper")
F8 = call(DTYPE, "f8", False, True)
PLAIN = (3, "<", None, None, None, -1, -1, 0)
HELD = b"A" * 8  # the address of a Python object, were it read as one


def array(**changes: Any) -> bytes:
    """joblib's own form of an array of two numbers, with changes to what describes it."""
    usual = {
        "subclass": [NDARRAY], "shape": (2,), "order": "C", "dtype": [with_state(F8, PLAIN)], "allow_mmap": False,
        "numpy_array_alignment_bytes": 16,
    }  # fmt: skip
    state = {name: held for name, held in {**usual, **changes}.items() if held != "left out"}
    return with_state(WRAPPER + EMPTY + NEWOBJ, state) + b"\x00" + bytes(16)


def clusters(**changes: Any) -> bytes:
    usual = {"cluster_centers_": [array_of(np.zeros((2, 3)))], "n_features_in_": 3, "_n_threads": 1}
    return with_state(KMEANS + EMPTY + NEWOBJ, {**usual, **changes, "_sklearn_version": VERSION})


def array_of(numbers: np.ndarray[Any, Any]) -> bytes:
    """An array inside a pickle whose numbers follow its description."""
    described = array(shape=tuple(map(int, numbers.shape)))
    return described.removesuffix(bytes(16)) + numbers.astype("<f8").tobytes()


def dumped(thing: Any) -> bytes:
    written = io.BytesIO()
    joblib.dump(thing, written)
    return written.getvalue()


TYPES: Mapping[str, bytes] = {
    **{
        f"the type {name!r}": call(DTYPE, name, False, True)
        for name in ("O", "O8", "V16", "S8", "U4", "M8[s]", "m8", "c16", "f8,O", "i4,(2,)f8", ">f8", "<f8", "float64",
                     "object", "f8\n", "b2", "f16", "")
    },
    "a type by fields": call(DTYPE, {"names": ("a",), "formats": ("O",)}, False, True),
    "a type by a tuple": call(DTYPE, ("O", 2), False, True),
    "a type that is aligned": call(DTYPE, "f8", True, True),
    "a type of no name": call(DTYPE),
    "a type of another type": call(DTYPE, [F8], False, True),
    "a type with metadata": call(DTYPE, "f8", False, True, {"a": 1}),
    "a type made without its function": DTYPE + value(("O",)) + NEWOBJ,
    "a type made with keywords": DTYPE + value(("O",)) + value({}) + pickle.NEWOBJ_EX,
    "a type made by a mark": pickle.MARK + DTYPE + value("O") + pickle.OBJ,
    "a type made by its name": pickle.MARK + value("O") + pickle.INST + b"numpy\ndtype\n",
}  # fmt: skip
STATES: Mapping[str, Any] = {
    "fields": (3, "|", None, ("a",), {"a": ([F8], 0)}, 8, 1, 0),
    "a field of objects in one of numbers": (
        3, "|", None, ("a",), {"a": ([with_state(F8, (3, "|", None, ("b",), {"b": ([F8], 0)}, 8, 1, 63))], 0)},
        8, 1, 63,
    ),
    "a shape": (3, "<", ([F8], (2,)), None, None, 16, 8, 0),
    "names alone": (3, "<", None, ("a",), None, -1, -1, 0),
    "metadata": (4, "<", None, None, None, -1, -1, 0, {"a": 1}),
    "no metadata, and room for it": (4, "<", None, None, None, -1, -1, 0, None),
    "the flag of objects": (3, "<", None, None, None, -1, -1, 63),
    "a size": (3, "<", None, None, None, 64, -1, 0),
    "an alignment": (3, "<", None, None, None, -1, 64, 0),
    "another order": (3, ">", None, None, None, -1, -1, 0),
    "a version of before": (1, "<", None, None, 8, 8),
    "a dict": {"kind": "O"},
    "attributes": (None, {"kind": "O"}),
    "nothing": None,
    "an empty tuple": (),
    "what cannot be hashed": (3, "<", None, None, {}, -1, -1, 0),
}  # fmt: skip
CALLS: Mapping[str, bytes] = {
    "an array": call(NDARRAY, (2,), [F8]),
    "an array of objects": call(NDARRAY, (2,), "O"),
    "an array made without its function": NDARRAY + value(((2,), "O")) + NEWOBJ,
    "log1p": call(LOG1P, 1),
    "log1p of an array": call(LOG1P, [array()]),
    "dot": call(DOT, [array()], [array()]),
    "clip": call(CLIP, 1, 2, 3),
    "an estimator": call(KMEANS, 8),
    "an estimator without its function, with arguments": KMEANS + value((8,)) + NEWOBJ,
    "joblib's array": call(WRAPPER, [NDARRAY], (2,), "C", "O"),
    "a scalar of objects": call(SCALAR, "O", HELD),
    "a scalar of a type by name": call(SCALAR, "f8", HELD),
    "a scalar that is short": call(SCALAR, [F8], HELD[:7]),
    "a scalar that is long": call(SCALAR, [F8], HELD * 2),
    "a scalar of text": call(SCALAR, [F8], "x" * 8),
    "a scalar of a scalar": call(SCALAR, [call(SCALAR, [F8], HELD)], HELD),
    "a scalar of nothing": call(SCALAR, [F8]),
    "a text": call(value("eval"), "1"),
}
GIVEN_STATE: Mapping[str, bytes] = {
    "a function": with_state(CLIP, {"__code__": 1}),
    "a class": with_state(KMEANS, {"predict": [LOG1P]}),
    "a class, by attributes": with_state(KMEANS, (None, {"predict": [LOG1P]})),
    "the name of arrays": with_state(NDARRAY, (1, (1,), [F8], False, HELD)),
    "an array": with_state(array(), (1, (1,), [F8], False, HELD)),
    "a scalar": with_state(call(SCALAR, [F8], HELD), {"a": 1}),
    "an estimator, by attributes": with_state(PIPE + EMPTY + NEWOBJ, (None, {"steps": ()})),
    "a dict": with_state(value({}), {"a": 1}),
    "a text": with_state(value("a"), {"a": 1}),
}
ARRAYS: Mapping[str, bytes] = {
    "a type by name": array(dtype="f8"),
    "objects by name": array(dtype="O"),
    "a type that is an estimator": array(dtype=[KMEANS]),
    "a class of its own": array(subclass=[KMEANS]),
    "no class": array(subclass=None),
    "a shape that is no tuple": array(shape=2),
    "a negative length": array(shape=(-2,)),
    "a length that is no whole number": array(shape=("2",)),
    "a length that is true": array(shape=(True,)),
    "more than there are": array(shape=(2**30,)),
    "another order": array(order="K"),
    "a fact too few": array(order="left out"),
    "a fact too many": array(read="x"),
    "a state that is no dict": with_state(WRAPPER + EMPTY + NEWOBJ, (None, {"dtype": "O"})),
    "objects": dumped(np.array([{}], dtype=object)),
    "an array of objects within objects": dumped({"a": [np.array([np.array([None], dtype=object)], dtype=object)]}),
    "objects in a field": dumped(np.zeros(2, [("a", "f8"), ("b", "O")])),
    "fields": dumped(np.zeros(2, [("a", "f8")])),
    "a type with metadata": dumped(np.zeros(2, np.dtype("f8", metadata={"a": 1}))),
    "texts": dumped(np.array(["a"])),
    "times": dumped(np.array(["2011-12-10"], "M8[s]")),
    "complex numbers": dumped(np.zeros(2, "c16")),
    "a matrix": dumped(np.zeros((2, 2)).view(np.matrix)),
    "a masked array": dumped(np.ma.masked_array([1.0], [True])),
}
CLUSTERS: Mapping[str, bytes] = {
    "centers of fewer features": clusters(cluster_centers_=[array_of(np.zeros((2, 1)))]),
    "centers in one row": clusters(cluster_centers_=[array_of(np.zeros(6))]),
    "centers that are no array": clusters(cluster_centers_="x"),
    "more threads than a machine has": clusters(_n_threads=2**31 - 1),
    "no thread": clusters(_n_threads=0),
    "features that are no number": clusters(n_features_in_="3"),
    "a second state": with_state(clusters(), {"n_features_in_": 4000, "_sklearn_version": VERSION}),
    "no centers": with_state(KMEANS + EMPTY + NEWOBJ, {"_sklearn_version": VERSION}),
}
OPCODES: Mapping[str, bytes] = {
    "a persistent id": value("1") + pickle.BINPERSID,
    "a persistent id by a line": pickle.PERSID + b"1\n",
    "an extension": pickle.EXT1 + b"\x01",
    "an extension of two bytes": pickle.EXT2 + b"\x01\x00",
    "an extension of four bytes": pickle.EXT4 + b"\x01\x00\x00\x00",
    "a buffer": pickle.NEXT_BUFFER,
    "a buffer to be read": pickle.NEXT_BUFFER + pickle.READONLY_BUFFER,
    "an array of bytes": pickle.BYTEARRAY8 + struct.pack("<Q", 1) + b"a",
    "an opcode that there is not": b"\xff",
    "a call of nothing": REDUCE,
    "an instance of nothing": NEWOBJ,
    "a state of nothing": BUILD,
    "what was never kept": pickle.BINGET + b"\x07",
}
ATTEMPTS = {
    **{f"type: {name}": whole(made) for name, made in TYPES.items()},
    **{f"state: {name}": whole(with_state(F8, state)) for name, state in STATES.items()},
    **{f"state of an array's type: {name}": whole(array(dtype=[with_state(F8, it)])) for name, it in STATES.items()},
    **{f"call: {name}": whole(made) for name, made in CALLS.items()},
    **{f"given state: {name}": whole(made) for name, made in GIVEN_STATE.items()},
    **{f"array: {name}": made if made[:1] == pickle.PROTO else whole(made) for name, made in ARRAYS.items()},
    **{f"clusters: {name}": whole(made) for name, made in CLUSTERS.items()},
    **{f"opcode: {name}": whole(made) for name, made in OPCODES.items()},
    "a command": forgery.forged_pickle("true"),
    "a command in an array of objects": forgery.hidden_pickle("true"),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_what_is_not_of_plain_numbers_is_refused(attempt: str) -> None:
    with pytest.raises(ArtifactRefused, match="is not a pipeline this software may load"):
        unpickle(ATTEMPTS[attempt])


@pytest.mark.parametrize("name", ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"])
def test_plain_numbers_are_read(name: str) -> None:
    numbers = np.arange(6).reshape(2, 3).astype(name)
    for sent in (numbers, np.asfortranarray(numbers)):
        found = unpickle(dumped({"array": sent, "scalar": sent[1, 1], "type": sent.dtype, "none": sent[:0]}))
        assert np.array_equal(found["array"], sent)
        assert found["array"].dtype == sent.dtype
        assert found["array"].flags.f_contiguous == sent.flags.f_contiguous
        assert (found["scalar"], type(found["scalar"])) == (sent[1, 1], type(sent[1, 1]))
        assert (found["type"], found["none"].shape) == (sent.dtype, (0, 3))
    assert unpickle(whole(clusters())).n_features_in_ == 3


def test_the_names_that_are_allowed_can_only_be_named() -> None:
    """Called, made and given state with all kinds of arguments, they end in plain values or a refusal."""
    arguments: list[Any] = [(), ("O",), ("f8", False, True), ((2,), "O"), ([F8], HELD), ({"names": ("a",)},), (1, 2, 3)]
    for module, name in ALLOWED:
        for given in arguments:
            for made in (REDUCE, NEWOBJ):
                for state in ([], [value(PLAIN), BUILD], [value({"a": 1}), BUILD], [value((None, {"a": 1})), BUILD]):
                    opcodes = named(module, name) + value(given) + made + b"".join(state)
                    _read(whole(opcodes))


def test_opcodes_put_in_at_random_end_in_plain_values_or_a_refusal(published: Published) -> None:
    """A real pipeline with parts of the attempts above put between its opcodes. A crash would end this process."""
    data = read_artifact(published.directory / published.first).files[PIPELINE]
    parts = [attempt[2:-1] for attempt in ATTEMPTS.values()] + [
        F8,
        NDARRAY,
        SCALAR,
        KMEANS,
        REDUCE,
        NEWOBJ,
        BUILD,
        EMPTY,
    ]
    places = range(2, min(len(data), 4_000))
    for seed in range(ROUNDS):
        chance = random.Random(seed)
        changed = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            at = chance.choice(places)
            changed[at : at + chance.choice([0, 0, 1, 8])] = chance.choice(parts)
        _read(bytes(changed))


def _read(data: bytes) -> None:
    with suppress(ArtifactRefused):
        unpickle(data)
