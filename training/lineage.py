"""Which published models a new one descends from: whose ids, and whose way of making segments, it carries on."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from models.artifact import read_artifact
from models.errors import ModelError, NoActiveModel
from models.evidence import SourceFile
from models.model import SegmentationModel
from models.registry import ACTIVE, Registry
from training.errors import UnreadableSource
from training.recipe import Recipe, recipe_of


@dataclass(frozen=True, slots=True)
class Lineage:
    """The model before, None for the first, and the first segment id that no published model has given."""

    previous: SegmentationModel | None
    first_free_id: int

    def before_of(self, source: str) -> tuple[Recipe, int] | None:
        """How the model before makes its segments, and how many; None where its customers came in another way."""
        if self.previous is None or self.previous.manifest.source != source:
            return None
        arrays, parameters = self.previous.scorer.arrays, self.previous.manifest.parameters
        name = f"as before: {self.previous.manifest.selection.winner.name.removeprefix('as before: ')}"
        return recipe_of(arrays, name, float(parameters["tails"] or 0.0)), len(arrays.centres)


def lineage(models_dir: Path, data: tuple[SourceFile, ...], as_of: datetime, asked: str, key: bytes | None) -> Lineage:
    """The active model in `models_dir`, or where that was made of the same data and `asked` alike, the one before it.

    So training the same again makes the same. Raises UnreadableSource where the active model cannot be read.
    """
    registry = Registry(models_dir)
    try:
        version: str | None = registry.active()
    except NoActiveModel:
        return Lineage(None, 1)
    seen: set[str] = set()
    previous: SegmentationModel | None = None
    while version is not None and version not in seen:
        seen.add(version)
        previous = _read(registry, version, key, first=len(seen) == 1)
        made = previous and (previous.manifest.data, previous.manifest.as_of, previous.manifest.parameters.get("asked"))
        if previous is None or made != (data, as_of, asked):
            break
        version, previous = previous.manifest.previous, None
    return Lineage(previous, _first_free_id(registry, seen if previous is None else seen - {previous.version}, key))


def _read(registry: Registry, version: str, key: bytes | None, first: bool) -> SegmentationModel | None:
    try:
        return SegmentationModel.of(read_artifact(registry.path(version), key))
    except ModelError as error:
        if not first:  # an ancestor may be gone: nothing is carried on from it
            return None
        raise UnreadableSource(
            f"the active model in {registry.directory} cannot be read, so its segment ids cannot be carried on: "
            f"{error.report.rstrip('.')}. Restore it, remove {registry.directory / ACTIVE} to begin with "
            "new ids, or train into another --models-dir."
        ) from error


def _first_free_id(registry: Registry, remade: set[str], key: bytes | None) -> int:
    """The first id that no model but those being made again has given, whether it was ever active or not."""
    given = [1]
    for version in registry.versions():
        if version in remade:
            continue
        with contextlib.suppress(ModelError):  # one that cannot be read was never served
            manifest = read_artifact(registry.path(version), key).manifest
            given.append(int(manifest.parameters["next_segment_id"] or 1))
    return max(given)
