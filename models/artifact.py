"""An artifact directory: written once, checked before anything in it is used.

`manifest.json` names every other file with its digest, and the directory is named for the manifest's digest; a
file cannot change unnoticed. A digest catches damage, not a forger, who can rename the directory too: with a
signing key, `manifest.sig` must hold the manifest's HMAC.
"""

import hashlib
import hmac
import os
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from models.errors import ArtifactRefused
from models.manifest import VERSION_PATTERN, FileRecord, Manifest, version_of

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
PIPELINE, SCORER, SEGMENTS, PLAYBOOKS, REFERENCE, PRODUCTS, MAP = (
    "pipeline.joblib",
    "scorer.json",
    "segments.json",
    "playbooks.json",
    "reference.json",
    "products.json",
    "map.json",
)
FILES = (PIPELINE, SCORER, SEGMENTS, PLAYBOOKS, REFERENCE, PRODUCTS, MAP)
LARGEST_FILE = 64 * 1024 * 1024  # a scorer, profiles and a pipeline are far smaller; more is not ours
# Smaller, because these two are read before anything has vouched for them, also by the process that answers.
LARGEST_MANIFEST, LARGEST_SIGNATURE = 4 * 1024 * 1024, 1024
LARGEST_ARTIFACT = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Artifact:
    """An artifact whose bytes are what its manifest says. `files` holds them, so nothing is read twice."""

    version: str
    digest: str
    manifest: Manifest
    files: Mapping[str, bytes]


def write_artifact(
    models_dir: Path,
    files: Mapping[str, bytes],
    manifest: Callable[[Mapping[str, FileRecord]], Manifest],
    signing_key: bytes | None = None,
) -> str:
    """Write the files and their manifest as a new version, whole or not at all; returns the version.

    The directory is filled under a hidden name, flushed to disk, then renamed. Writing what is there already
    changes nothing: the same content is the same version.
    """
    records = {name: FileRecord(sha256=_sha256(data), bytes=len(data)) for name, data in sorted(files.items())}
    content = manifest(records)
    text = content.to_bytes()
    version = version_of(text, content.as_of)
    final = models_dir / version
    if final.is_dir():
        return version
    partial = models_dir / f".{version}.{os.getpid()}.partial"
    models_dir.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    signed = {SIGNATURE: _hmac(signing_key, text).encode()} if signing_key else {}
    for name, data in {**files, MANIFEST: text, **signed}.items():
        write_durably(partial / name, data)
    flush_directory(partial)
    partial.rename(final)
    flush_directory(models_dir)
    return version


def read_artifact(directory: Path, signing_key: bytes | None = None) -> Artifact:
    """The artifact in a directory named for its version, every byte checked against the manifest.

    Raises ArtifactRefused with a sentence for anything that is not as it was written.
    """
    version = directory.name
    if not VERSION_PATTERN.fullmatch(version):
        raise ArtifactRefused(f"{version!r} is not a model version such as 20111210-0123456789abcdef")
    text = _read(directory, MANIFEST, LARGEST_MANIFEST)
    if signing_key is not None:
        _check_signature(directory, text, signing_key)
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArtifactRefused(
            f"model {version}: {MANIFEST} is not one this software writes (at {where or 'its start'}: {first['msg']}); "
            "train the model again with this version"
        ) from error
    if version_of(text, manifest.as_of) != version:
        raise ArtifactRefused(f"model {version}: {MANIFEST} was changed after training; publish the original again")
    if set(manifest.files) != set(FILES):
        raise ArtifactRefused(f"model {version}: {MANIFEST} does not list the files {', '.join(FILES)}")
    if sum(record.bytes for record in manifest.files.values()) > LARGEST_ARTIFACT:
        raise ArtifactRefused(f"model {version}: its files have more than {LARGEST_ARTIFACT:,} bytes together")
    files = {name: _checked(directory, name, record) for name, record in manifest.files.items()}
    return Artifact(version, _sha256(text), manifest, files)


def read_plain(path: Path, most: int) -> bytes | None:
    """At most so many bytes of a file; None where the path is a folder, a pipe or a device. Follows no link.

    Raises OSError.
    """
    # not waiting, because opening a pipe would wait for its other end
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        return _all(handle, most) if stat.S_ISREG(os.fstat(handle).st_mode) else None
    finally:
        os.close(handle)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def flush_directory(directory: Path) -> None:
    """Wait until names made or replaced in a directory are on the disk."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _checked(directory: Path, name: str, record: FileRecord) -> bytes:
    data = _read(directory, name, LARGEST_FILE)
    if len(data) != record.bytes:
        raise ArtifactRefused(
            f"model {directory.name}: {name} has {len(data):,} bytes where its manifest says {record.bytes:,}; "
            "it was cut short or replaced, publish the original again"
        )
    # As bytes: of text that is not ASCII the comparison would raise.
    if not hmac.compare_digest(_sha256(data).encode(), record.sha256.encode("utf-8", "replace")):
        raise ArtifactRefused(
            f"model {directory.name}: the content of {name} does not match its digest in the manifest; "
            "it was damaged or changed, publish the original again"
        )
    return data


def _read(directory: Path, name: str, largest: int) -> bytes:
    try:
        data = read_plain(directory / name, largest + 1)
    except OSError as error:
        raise ArtifactRefused(f"model {directory.name}: {name} cannot be read: {error.strerror}") from error
    if data is None:
        raise ArtifactRefused(f"model {directory.name}: {name} is not a file")
    if len(data) > largest:
        raise ArtifactRefused(f"model {directory.name}: {name} is larger than {largest:,} bytes")
    return data


def _all(handle: int, most: int) -> bytes:
    with os.fdopen(handle, "rb", closefd=False) as file:
        return file.read(most)


def _check_signature(directory: Path, manifest: bytes, key: bytes) -> None:
    if not os.path.lexists(directory / SIGNATURE):
        raise ArtifactRefused(
            f"model {directory.name} is not signed, and a signing key is configured; "
            "train it with SEGMENTATION_SIGNING_KEY set"
        )
    given = _read(directory, SIGNATURE, LARGEST_SIGNATURE).decode("ascii", "replace").strip()
    if not hmac.compare_digest(given.encode(), _hmac(key, manifest).encode()):
        raise ArtifactRefused(f"model {directory.name}: the signature does not match the configured signing key")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, data: bytes) -> str:
    return hmac.new(key, data, hashlib.sha256).hexdigest()
