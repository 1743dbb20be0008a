"""The model that answers now. Another one is loaded and proved before the present one is let go."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from models.artifact import Artifact, read_artifact
from models.errors import ModelError
from models.model import SegmentationModel
from models.playbook import Playbooks, load_playbooks
from models.registry import Registry
from service.errors import NotReady
from service.proving import Prover
from service.served_model import Limits, ServedModel

logger = logging.getLogger("segmentation.model")
Stamp = tuple[str, str, int]
REMEMBERED = 4  # versions kept for reading back what earlier models answered


class LiveModel:
    """Follows ACTIVE in the registry. A request takes `current()` once and keeps it to its end."""

    def __init__(
        self,
        registry: Registry,
        prover: Prover,
        limits: Limits,
        playbooks_path: Path | None,
        signing_key: bytes | None,
        clock: Callable[[], datetime],
    ) -> None:
        self.registry = registry
        self.trouble: str | None = None
        self._prover = prover
        self._limits = limits
        self._playbooks_path = playbooks_path
        self._signing_key = signing_key
        self._clock = clock
        self._changing = threading.Lock()  # one change at a time: a slow look must not undo a quick activation
        self._served: ServedModel | None = None
        self._seen: Stamp | None = None
        self._earlier: dict[str, ServedModel] = {}

    def current(self) -> ServedModel:
        """The model to answer with. Raises NotReady where none could be loaded yet."""
        if self._served is None:
            raise NotReady(self.trouble or "no model is loaded yet; try again in a moment")
        return self._served

    @property
    def serving(self) -> str | None:
        """The version that answers now; None where none could be loaded yet."""
        return self._served.model.version if self._served else None

    def load(self, version: str) -> ServedModel:
        """A version, checked and proved. Blocking; raises a ModelError with a sentence."""
        artifact = self.read(version)
        self._prover.prove(artifact, self.registry.path(version), self._clock())
        return ServedModel(SegmentationModel.of(artifact), self._playbooks(), self._limits)

    def read(self, version: str) -> Artifact:
        """A published version with every byte checked, and its signature where a key is configured; not proved.

        Blocking; raises a ModelError with a sentence.
        """
        return read_artifact(self.registry.path(version), self._signing_key)

    def activate(self, version: str) -> ServedModel:
        """Load a version, then make it the active one for all processes, and serve it here. Blocking."""
        with self._changing:
            served = self.load(version)
            self.registry.activate(version)
            self._serve(served, self._stamp())
        return served

    def earlier(self, version: str) -> ServedModel | None:
        """The model that gave an earlier answer, or None where it is gone or no longer sound. Blocking."""
        if self._served is not None and self._served.model.version == version:
            return self._served
        if version not in self._earlier:
            try:
                found = ServedModel(SegmentationModel.of(self.read(version)), self._playbooks(), self._limits)
            except ModelError:
                return None
            while len(self._earlier) >= REMEMBERED:
                self._earlier.pop(next(iter(self._earlier)), None)
            self._earlier[version] = found
        return self._earlier[version]

    def refresh(self) -> None:
        """Serve what ACTIVE names if that changed. What cannot be served is said in `trouble`; the present
        model goes on answering."""
        with self._changing:
            try:
                stamp = self._stamp()
                if stamp == self._seen:
                    return
                self._seen = stamp  # looked at once: a bad model is not proved again every second
                self._serve(self.load(stamp[0]), stamp)
            except ModelError as error:
                if self.trouble != str(error):
                    logger.error("%s", error.report)
                self.trouble = str(error)

    async def watch(self, seconds: float, stop: asyncio.Event) -> None:
        """Refresh every so often until told to stop."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)
                return
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:  # whatever it is, the present model goes on answering and the next look may succeed
                logger.exception("looking for another model failed")

    def _serve(self, served: ServedModel, stamp: Stamp) -> None:
        if self._served is None or self._served.model.version != served.model.version:
            logger.info("model %s is serving", served.model.version)
        self._served, self._seen, self.trouble = served, stamp, None

    def _playbooks(self) -> Playbooks | None:
        return load_playbooks(self._playbooks_path) if self._playbooks_path else None

    def _stamp(self) -> Stamp:
        """What tells that something changed: the active version, its files, and when the playbooks were written."""
        changed = 0
        if self._playbooks_path is not None:
            with contextlib.suppress(OSError):
                changed = self._playbooks_path.stat().st_mtime_ns
        active = self.registry.active()
        return active, self.registry.fingerprint(active), changed
