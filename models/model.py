"""A loaded segmentation model: arrays, segments and playbooks. No pickle is touched to make one."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from models.affinity import ProductAffinities
from models.artifact import PLAYBOOKS, PRODUCTS, REFERENCE, SCORER, SEGMENTS, Artifact
from models.category import Column, columns
from models.errors import ArtifactRefused, UnknownSegment
from models.manifest import Manifest
from models.playbook import DEFAULT, Playbook, Playbooks, playbook_for
from models.product_advisor import ProductAdvisor
from models.scorer import Scorer
from models.scorer_arrays import ScorerArrays
from models.segment import Segment


class Reference(BaseModel):
    """Some training customers' feature values (n × d) and the segment each belongs to: the model's own test."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    values: tuple[tuple[float, ...], ...]
    segment_ids: tuple[int, ...]


_SEGMENTS: TypeAdapter[tuple[Segment, ...]] = TypeAdapter(tuple[Segment, ...])
_PLAYBOOKS: TypeAdapter[dict[str, Playbook]] = TypeAdapter(dict[str, Playbook])
_PRODUCTS: TypeAdapter[ProductAffinities | None] = TypeAdapter(ProductAffinities | None)

T = TypeVar("T")


@dataclass(frozen=True)
class SegmentationModel:
    """Everything that answers need. `segments` are in the order of the scorer's centres.

    `advisor` knows what goes with what; None where the data names no products. `columns` say what the scorer's
    numbers are of, where customers came as a table; there are none where they were described by transactions.
    """

    version: str
    digest: str
    manifest: Manifest
    scorer: Scorer
    segments: tuple[Segment, ...]
    playbooks: Playbooks
    reference: Reference
    advisor: ProductAdvisor | None = None
    columns: tuple[Column, ...] = ()

    @classmethod
    def of(cls, artifact: Artifact) -> "SegmentationModel":
        """The model in a checked artifact. Raises ArtifactRefused where its files do not fit together."""
        # Before what stays is made: mined affinities are several times as large as an advisor, and what is made beside
        # them would keep their memory from being given back.
        advisor = _advisor(artifact)
        arrays = _read(artifact, SCORER, ScorerArrays.model_validate_json)
        segments = _read(artifact, SEGMENTS, _SEGMENTS.validate_json)
        playbooks = _read(artifact, PLAYBOOKS, _PLAYBOOKS.validate_json)
        reference = _read(artifact, REFERENCE, Reference.model_validate_json)
        by_id = {segment.id: segment for segment in segments}
        if set(by_id) != set(arrays.segment_ids) or len(segments) != len(arrays.segment_ids):
            raise ArtifactRefused(f"model {artifact.version}: its segments and its centres are not the same")
        if not reference.values or {len(row) for row in reference.values} != {len(arrays.features)}:
            raise ArtifactRefused(
                f"model {artifact.version}: {REFERENCE} has no customers, or not the scorer's features"
            )
        if len(reference.values) != len(reference.segment_ids):
            raise ArtifactRefused(
                f"model {artifact.version}: {REFERENCE} has not one segment for each of its customers"
            )
        if any(feature not in artifact.manifest.base for feature in arrays.features):
            raise ArtifactRefused(f"model {artifact.version}: a feature of the scorer is not in the manifest")
        of_table = _columns(artifact)
        if of_table and tuple(column.name for column in of_table) != arrays.features:
            raise ArtifactRefused(f"model {artifact.version}: its features do not make the scorer's columns")
        if any(set(arrays.features) - set(segment.features) for segment in segments):
            raise ArtifactRefused(f"model {artifact.version}: a feature of the scorer is not in its segments' profiles")
        if DEFAULT not in playbooks:
            raise ArtifactRefused(f"model {artifact.version}: its playbooks have no entry {DEFAULT!r}")
        if advisor is not None and advisor.segments != set(by_id):
            raise ArtifactRefused(f"model {artifact.version}: {PRODUCTS} is of other segments; train the model again")
        return cls(
            version=artifact.version,
            digest=artifact.digest,
            manifest=artifact.manifest,
            scorer=Scorer(arrays),
            segments=tuple(by_id[segment_id] for segment_id in arrays.segment_ids),
            playbooks=playbooks,
            reference=reference,
            advisor=advisor,
            columns=of_table,
        )

    @cached_property
    def features(self) -> tuple[str, ...]:
        """What decides the segment, in the scorer's order: a feature in words is there as columns of 0 and 1."""
        return self.scorer.features

    @property
    def deciding(self) -> tuple[str, ...]:
        """The features that decide the segment, as customers have them: one in words is there once."""
        if not self.columns:
            return self.features
        return tuple(dict.fromkeys(column.feature for column in self.columns))

    @property
    def levels(self) -> dict[str, tuple[str, ...]]:
        """The levels of the deciding features that are in words."""
        return {one.name: one.levels for one in self.manifest.features if one.clusters and one.levels}

    @cached_property
    def described_by(self) -> tuple[str, ...]:
        """All features known of this model's customers; those that do not decide only describe."""
        return tuple(feature.name for feature in self.manifest.features)

    def segment(self, segment_id: int) -> Segment:
        """The segment with this id. Raises UnknownSegment."""
        for segment in self.segments:
            if segment.id == segment_id:
                return segment
        known = ", ".join(str(one) for one in sorted(segment.id for segment in self.segments))
        raise UnknownSegment(f"model {self.version} has no segment {segment_id}; its segments are {known}")

    def playbook(self, segment: Segment) -> Playbook:
        """What to do about a segment."""
        return playbook_for(self.playbooks, segment.name)


def _advisor(artifact: Artifact) -> ProductAdvisor | None:
    affinities = _read(artifact, PRODUCTS, _PRODUCTS.validate_json)
    if affinities is None:
        return None
    advisor = ProductAdvisor.of(affinities)
    del affinities
    gc.collect()  # Python keeps tuples for later use, and with each of them a megabyte around it, until it collects
    return advisor


def _columns(artifact: Artifact) -> tuple[Column, ...]:
    if artifact.manifest.source == "transactions":
        return ()
    deciding = [one for one in artifact.manifest.features if one.clusters]
    try:
        return columns([one.name for one in deciding], {one.name: one.levels for one in deciding if one.levels})
    except ValueError as error:
        raise ArtifactRefused(f"model {artifact.version}: {error}; train the model again") from error


def _read(artifact: Artifact, name: str, read: Callable[[bytes], T]) -> T:
    """What a file of the artifact holds; what is wrong with it is told with its place in the file."""
    try:
        return read(artifact.files[name])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ArtifactRefused(
            f"model {artifact.version}: {name}: {f'{where}: ' if where else ''}{first['msg']}; train the model again"
        ) from error
