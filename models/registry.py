"""The registry is a directory: one folder per version, and the file ACTIVE that names the one to serve."""

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from models.artifact import MANIFEST, flush_directory, read_plain, write_durably
from models.errors import NoActiveModel, UnknownVersion
from models.manifest import VERSION_PATTERN

ACTIVE = "ACTIVE"
LONGEST_NAME = 1_000  # bytes; a version has 25, and whatever else stands in ACTIVE is read no further


class Registry:
    """The models in a directory. Training publishes here, services read; neither knows the other."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def versions(self) -> list[str]:
        """All published versions, newest training date first."""
        if not self.directory.is_dir():
            return []
        found = [path.name for path in self.directory.iterdir() if self._is_published(path)]
        return sorted(found, reverse=True)

    def path(self, version: str) -> Path:
        """The folder of a published version. Raises UnknownVersion, also for names that are no version at all."""
        path = self.directory / version
        if not VERSION_PATTERN.fullmatch(version) or not self._is_published(path):
            newest = ", ".join(self.versions()[:3]) or "none"
            raise UnknownVersion(
                f"there is no model {version[:60]!r} among the published ones; the newest are {newest}"
            )
        return path

    def active(self) -> str:
        """The version that ACTIVE names. Raises NoActiveModel where nothing was activated yet."""
        try:
            named = read_plain(self.directory / ACTIVE, LONGEST_NAME)
        except FileNotFoundError as error:
            raise NoActiveModel(
                "no model is active; train one with: python -m training fit FILE", reason=str(self.directory)
            ) from error
        except OSError as error:
            said = f"which model is active cannot be read: {error.strerror}"
            raise NoActiveModel(said, reason=str(self.directory / ACTIVE)) from error
        if named is None:
            said = f"{ACTIVE} is not a file; write the version to serve into one"
            raise NoActiveModel(said, reason=str(self.directory / ACTIVE))
        return named.decode("ascii", "replace").strip()

    def activate(self, version: str) -> None:
        """Point ACTIVE at a published version, atomically: a reader sees the old name or the new one."""
        self.path(version)
        fresh = self.directory / f".{ACTIVE}.{secrets.token_hex(8)}.partial"
        write_durably(fresh, f"{version}\n".encode())
        fresh.replace(self.directory / ACTIVE)
        flush_directory(self.directory)

    def published_at(self, version: str) -> datetime:
        """When the version was put here: the time of its manifest file, UTC. Raises UnknownVersion."""
        try:
            return datetime.fromtimestamp((self.path(version) / MANIFEST).lstat().st_mtime, UTC)
        except OSError as error:
            raise UnknownVersion(f"model {version} cannot be looked at: {error.strerror}") from error

    def fingerprint(self, version: str) -> str:
        """What changes whenever a file of the version does; empty where nothing of it can be seen.

        So a folder that was still being copied when it was first looked at is looked at again.
        """
        if not VERSION_PATTERN.fullmatch(version):
            return ""
        try:
            seen = sorted((one.name, one.stat(follow_symlinks=False)) for one in os.scandir(self.directory / version))
        except OSError:
            return ""
        return " ".join(f"{name}:{entry.st_size}:{entry.st_mtime_ns}" for name, entry in seen)

    def _is_published(self, path: Path) -> bool:
        if not VERSION_PATTERN.fullmatch(path.name):
            return False
        try:
            return not path.is_symlink() and (path / MANIFEST).is_file()
        except OSError:
            return True  # it is there, and reading it says what is wrong
