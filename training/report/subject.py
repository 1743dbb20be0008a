"""What a report is about: a model with its segments in the order of the page, the most valuable first."""

from dataclasses import dataclass
from functools import cached_property

from pydantic import TypeAdapter

from models.artifact import MAP, Artifact
from models.customer_map import CustomerMap
from models.evidence import LEAST_EXPLAINED, Candidate, Evidence
from models.manifest import Manifest
from models.model import SegmentationModel
from models.segment import Segment

_MAP: TypeAdapter[CustomerMap | None] = TypeAdapter(CustomerMap | None)


@dataclass(frozen=True)
class Subject:
    """A model as a report tells of it. `map` is None where there is nothing to draw."""

    model: SegmentationModel
    map: CustomerMap | None

    @classmethod
    def of(cls, artifact: Artifact) -> "Subject":
        """The subject in a checked artifact. Raises ArtifactRefused where its files do not fit together."""
        return cls(SegmentationModel.of(artifact), _MAP.validate_json(artifact.files[MAP]))

    @property
    def manifest(self) -> Manifest:
        return self.model.manifest

    @property
    def evidence(self) -> Evidence:
        return self.manifest.evidence

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings as sentences: thin data, and failed checks of plausibility that were accepted."""
        accepted = {check.warning for check in self.manifest.plausibility if check.accepted}
        return tuple(warning if warning in accepted else f"Thin data: {warning}." for warning in self.evidence.warnings)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The most net revenue per customer first; where there is no revenue, the largest first."""

        def order(segment: Segment) -> tuple[int, int, int]:
            return segment.profitability_rank or 0, -segment.size, segment.id

        return tuple(sorted(self.model.segments, key=order))

    @property
    def preset(self) -> str | None:
        """The preset that was asked for by name, whatever the others told."""
        asked = self.manifest.parameters.get("preset")
        return str(asked) if asked else None

    @property
    def best_other(self) -> Candidate | None:
        """Of the candidates made otherwise than the chosen one, the one that tells most; sound, where one is.

        By the least of the two shares of what boosted trees tell, as candidates are chosen, or by R² where those tell
        nothing; None without a back-test.
        """
        chosen = self.manifest.selection.winner
        others = [one for one in self.manifest.selection.candidates if one.name != chosen.name]
        tested = [one for one in others if one.auc is not None and one.r_squared is not None]
        if not tested or not self.evidence.backtests:
            return None
        return max(tested, key=lambda one: (one.excluded is None, self._reach(one)))

    def _reach(self, one: Candidate) -> float:
        limit = self.evidence.backtests[0].limit
        r_squared, auc = one.r_squared or 0.0, (one.auc or 0.5) - 0.5
        if limit.r_squared.value < LEAST_EXPLAINED or limit.auc.value - 0.5 < LEAST_EXPLAINED:
            return r_squared
        return min(r_squared / limit.r_squared.value, auc / (limit.auc.value - 0.5))
