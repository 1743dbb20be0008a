"""A loaded segmentation model: arrays, segments and playbooks. No pickle is touched to make one."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from models.artifact import PLAYBOOKS, REFERENCE, SCORER, SEGMENTS, Artifact
from models.errors import ArtifactRefused, UnknownSegment
from models.manifest import Manifest
from models.playbook import DEFAULT, Playbook, Playbooks, playbook_for
from models.scorer import Scorer, ScorerArrays
from models.segment import Segment


class Reference(BaseModel):
    """Some training customers' feature values (n × d) and the segment each belongs to: the model's own test."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    values: tuple[tuple[float, ...], ...]
    segment_ids: tuple[int, ...]


_SEGMENTS: TypeAdapter[tuple[Segment, ...]] = TypeAdapter(tuple[Segment, ...])
_PLAYBOOKS: TypeAdapter[dict[str, Playbook]] = TypeAdapter(dict[str, Playbook])


@dataclass(frozen=True)
class SegmentationModel:
    """Everything that answers need. `segments` are in the order of the scorer's centres."""

    version: str
    digest: str
    manifest: Manifest
    scorer: Scorer
    segments: tuple[Segment, ...]
    playbooks: Playbooks
    reference: Reference

    @classmethod
    def of(cls, artifact: Artifact) -> "SegmentationModel":
        """The model in a checked artifact. Raises ArtifactRefused where its files do not fit together."""
        try:
            arrays = ScorerArrays.model_validate_json(artifact.files[SCORER])
            segments = _SEGMENTS.validate_json(artifact.files[SEGMENTS])
            playbooks = _PLAYBOOKS.validate_json(artifact.files[PLAYBOOKS])
            reference = Reference.model_validate_json(artifact.files[REFERENCE])
        except ValidationError as error:
            raise ArtifactRefused(f"model {artifact.version}: {error.title}: {error.errors()[0]['msg']}") from error
        by_id = {segment.id: segment for segment in segments}
        if set(by_id) != set(arrays.segment_ids) or len(segments) != len(arrays.segment_ids):
            raise ArtifactRefused(f"model {artifact.version}: its segments and its centres are not the same")
        if any(feature not in artifact.manifest.base for feature in arrays.features):
            raise ArtifactRefused(f"model {artifact.version}: a feature of the scorer is not in the manifest")
        if any(set(arrays.features) - set(segment.features) for segment in segments):
            raise ArtifactRefused(f"model {artifact.version}: a feature of the scorer is not in its segments' profiles")
        if DEFAULT not in playbooks:
            raise ArtifactRefused(f"model {artifact.version}: its playbooks have no entry {DEFAULT!r}")
        return cls(
            version=artifact.version,
            digest=artifact.digest,
            manifest=artifact.manifest,
            scorer=Scorer(arrays),
            segments=tuple(by_id[segment_id] for segment_id in arrays.segment_ids),
            playbooks=playbooks,
            reference=reference,
        )

    @property
    def features(self) -> tuple[str, ...]:
        """The features that decide the segment, in the scorer's order."""
        return self.scorer.features

    @property
    def described_by(self) -> tuple[str, ...]:
        """All features known of this model's customers; those that do not decide only describe."""
        return tuple(feature.name for feature in self.manifest.features)

    def segment(self, segment_id: int) -> Segment:
        """The segment with this id. Raises UnknownSegment."""
        for segment in self.segments:
            if segment.id == segment_id:
                return segment
        known = ", ".join(str(segment.id) for segment in self.segments)
        raise UnknownSegment(f"model {self.version} has no segment {segment_id}; its segments are {known}")

    def playbook(self, segment: Segment) -> Playbook:
        """What to do about a segment."""
        return playbook_for(self.playbooks, segment.name)
