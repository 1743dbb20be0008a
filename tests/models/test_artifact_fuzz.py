"""Whatever stands in a model's folder, reading it ends in a model or in ArtifactRefused, and runs nothing.

Every case has a seed of its own, which a failure names.
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.artifact import (
    FILES,
    LARGEST_FILE,
    LARGEST_MANIFEST,
    MANIFEST,
    PIPELINE,
    PRODUCTS,
    SIGNATURE,
    read_artifact,
)
from models.errors import LONGEST, ArtifactRefused, NoActiveModel
from models.model import SegmentationModel
from models.registry import ACTIVE, Registry
from tests.models.mutation import INSTEAD, mutated, said_otherwise
from tests.published import Published
from tests.service import forgery

ROUNDS = 100  # per file
FEW = 200  # products
PICKLES = 2_000
PATIENCE = 300.0  # seconds after which a proof or a reading hangs
KEY = b"k" * 32
JSON_FILES = [name for name in FILES if name != PIPELINE]


@pytest.fixture
def folder(own_models_dir: Path, published: Published) -> Path:
    """A real version, but for most of its products, which the test may damage: it is read thousands of times."""
    whole = own_models_dir / published.second
    return resealed(whole, PRODUCTS, first_of((whole / PRODUCTS).read_bytes()))


def first_of(affinities: bytes) -> bytes:
    """The first products, with those of their neighbours that are among them."""
    mined = json.loads(affinities)
    kept = [[at for at, other in enumerate(row) if other < FEW] for row in mined["neighbours"][:FEW]]
    for columns in (mined, *mined["segments"].values()):
        for name, column in columns.items():
            if name in ("neighbours", "support", "scores"):
                columns[name] = [[row[at] for at in these] for row, these in zip(column, kept, strict=False)]
            elif isinstance(column, list):
                columns[name] = column[:FEW]
    return json.dumps(mined).encode()


def read(folder: Path) -> str:
    """What becomes of a folder: the version read, or the sentence with which it was refused."""
    try:
        SegmentationModel.of(read_artifact(folder))
    except ArtifactRefused as refused:
        said = str(refused)
        assert said.isprintable()
        assert len(said) <= LONGEST
        return said
    return folder.name


def resealed(folder: Path, name: str, data: bytes) -> Path:
    """The folder with another file, and digests, sizes and its name made to fit: only its content can be refused."""
    (folder / name).write_bytes(data)
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return renamed(folder, json.dumps(manifest).encode())


def renamed(folder: Path, manifest: bytes) -> Path:
    (folder / MANIFEST).write_bytes(manifest)
    day = folder.name.partition("-")[0]
    return folder.rename(folder.parent / f"{day}-{hashlib.sha256(manifest).hexdigest()[:16]}")


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
def test_a_file_with_anything_wrong_is_refused(folder: Path, name: str) -> None:
    original = (folder / name).read_bytes()
    for seed in range(ROUNDS):
        data = mutated(original, random.Random(f"{name} {seed}"))
        (folder / name).write_bytes(data)
        assert (read(folder) == folder.name) == (data == original), f"{name}, seed {seed}"


@pytest.mark.parametrize("how", [mutated, said_otherwise])
@pytest.mark.parametrize("name", JSON_FILES)
def test_a_file_that_says_otherwise_with_its_digests_in_order_is_read_or_refused(
    folder: Path, name: str, how: object
) -> None:
    assert callable(how)
    original = (folder / name).read_bytes()
    for seed in range(ROUNDS):
        folder = resealed(folder, name, how(original, random.Random(f"{name} {seed}")))
        assert read(folder), f"{name}, seed {seed}"


@pytest.mark.parametrize("how", [mutated, said_otherwise])
def test_a_manifest_that_says_otherwise_is_read_or_refused(folder: Path, how: object) -> None:
    assert callable(how)
    original = (folder / MANIFEST).read_bytes()
    for seed in range(ROUNDS * 3):
        folder = renamed(folder, how(original, random.Random(seed)))
        assert read(folder), f"seed {seed}"


@pytest.mark.parametrize("text", [one.encode("utf-8", "surrogatepass") for one in INSTEAD] + [b"", b"\xff\xfe\x00"])
@pytest.mark.parametrize("name", [MANIFEST, *JSON_FILES])
def test_a_file_that_is_another_value_altogether_is_refused(folder: Path, name: str, text: bytes) -> None:
    folder = renamed(folder, text) if name == MANIFEST else resealed(folder, name, text)
    if (name, text) != ("products.json", b"null"):  # the one file that may say that there is nothing
        assert folder.name != read(folder) or name == "map.json"


def test_digests_that_are_no_digests_are_refused(folder: Path) -> None:
    for digest in ("", "é" * 64, "0" * 63, "A" * 64, "\u0000"):
        manifest = json.loads((folder / MANIFEST).read_bytes())
        manifest["files"][PIPELINE]["sha256"] = digest
        folder = renamed(folder, json.dumps(manifest).encode())
        assert "does not match its digest" in read(folder)


@pytest.mark.parametrize("name", ["../ACTIVE", "/etc/passwd", "..", "a/../../b", "\u0000", "pipeline.joblib/"])
def test_a_manifest_that_names_a_file_elsewhere_is_refused(folder: Path, name: str) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["files"][name] = manifest["files"].pop(PIPELINE)
    assert "does not list the files" in read(renamed(folder, json.dumps(manifest).encode()))


@pytest.mark.parametrize(("name", "bound"), [(MANIFEST, LARGEST_MANIFEST), (PIPELINE, LARGEST_FILE)])
def test_a_file_of_terabytes_is_read_no_further_than_its_bound(folder: Path, name: str, bound: int) -> None:
    os.truncate(folder / name, 2**42)  # sparse: it takes no room
    assert f"{name} is larger than {bound:,} bytes" in read(folder)


def test_files_that_are_too_large_together_are_refused_before_they_are_read(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    for name in FILES:
        manifest["files"][name]["bytes"] = LARGEST_FILE
    assert "its files have more than" in read(renamed(folder, json.dumps(manifest).encode()))


def test_whatever_stands_for_a_signature_is_refused(folder: Path) -> None:
    for seed in range(ROUNDS):
        (folder / SIGNATURE).write_bytes(random.Random(seed).randbytes(seed * 20))
        with pytest.raises(ArtifactRefused, match=r"signature|manifest\.sig is larger"):
            read_artifact(folder, KEY)
    (folder / SIGNATURE).unlink()
    for become in (Path.mkdir, os.mkfifo, lambda path: path.symlink_to(folder / MANIFEST)):
        become(folder / SIGNATURE)
        with pytest.raises(ArtifactRefused, match=SIGNATURE):
            read_artifact(folder, KEY)
        (folder / SIGNATURE).rmdir() if (folder / SIGNATURE).is_dir() else (folder / SIGNATURE).unlink()


def test_a_folder_is_refused_at_every_moment_of_being_copied_until_it_is_whole(folder: Path, tmp_path: Path) -> None:
    for order in range(5):
        copy = tmp_path / str(order) / folder.name
        copy.mkdir(parents=True)
        for name in random.Random(order).sample([MANIFEST, *FILES], len(FILES) + 1):
            assert "cannot be read" in read(copy)
            (copy / name).write_bytes(b"")
            assert folder.name != read(copy)
            shutil.copyfile(folder / name, copy / name)
        assert read(copy) == folder.name


def test_whatever_stands_in_active_names_a_version_or_none(own_models_dir: Path, published: Published) -> None:
    registry = Registry(own_models_dir)
    active = own_models_dir / ACTIVE
    for seed in range(ROUNDS):
        active.write_bytes(random.Random(seed).randbytes(seed))
        assert len(registry.active()) <= 1_000
        assert registry.fingerprint(registry.active()) == ""
    os.truncate(active, 2**42)
    assert len(registry.active()) <= 1_000
    active.unlink()
    for become, said in ((Path.mkdir, "is not a file"), (os.mkfifo, "is not a file"), (_link, "cannot be read")):
        become(active)
        with pytest.raises(NoActiveModel, match=said):
            registry.active()
        active.rmdir() if active.is_dir() else active.unlink()


def _link(path: Path) -> None:
    """A link to a secret, whose content would be told as the name of a version that there is not."""
    secret = path.with_name("secret")
    secret.write_text("hunter2")
    path.symlink_to(secret)


# Unpickles mutations of the pipeline, and says what else happened: Python tells a hook of everything that reaches
# outside, such as opening a file, starting a program or connecting. Modules of the libraries may be imported.
HARNESS = """
import random, sys
from pathlib import Path
from models.errors import ArtifactRefused
from models.proof import _bound_this_process, unpickle
from tests.models.mutation import mutated
data, first, last = Path(sys.argv[1]).read_bytes(), int(sys.argv[2]), int(sys.argv[3])
unpickle(data).predict([[1.0] * unpickle(data).n_features_in_])
_bound_this_process()
seen = []
OUTSIDE = ("os.", "subprocess.", "socket.", "shutil.", "pty.", "ctypes.", "exec", "compile", "open", "urllib.", "mmap.")
sys.addaudithook(lambda event, given: seen.append((event, given)) if event.startswith(OUTSIDE) else None)
for seed in range(first, last):
    print(seed, flush=True)
    try:
        unpickle(mutated(data, random.Random(seed)))
    except ArtifactRefused:
        pass
    for event, given in seen:
        raise SystemExit(f"seed {seed}: {event} {given}")
"""


def test_a_pipeline_with_anything_wrong_reaches_nothing_outside_itself(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HARNESS, str(folder / PIPELINE), "0", str(PICKLES)],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"seed {done.stdout.split()[-1]}: {done.stderr[-2000:]}"


@pytest.mark.parametrize("bomb", forgery.BOMBS)
def test_a_pipeline_that_asks_for_more_than_there_is_is_refused_within_bounds(folder: Path, bomb: str) -> None:
    folder = resealed(folder, PIPELINE, forgery.BOMBS[bomb]())
    done = subprocess.run(
        [sys.executable, "-m", "models.proof", str(folder)],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "is not a pipeline this software may load" in done.stdout
