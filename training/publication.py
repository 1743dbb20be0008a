"""A trained model becomes an artifact: its files, its manifest, and the proof that they agree."""

import importlib.metadata
import io
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import joblib
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from models.affinity import ProductAffinities
from models.artifact import (
    MAP,
    PIPELINE,
    PLAYBOOKS,
    PRODUCTS,
    REFERENCE,
    SCORER,
    SEGMENTS,
    Artifact,
    read_artifact,
    write_artifact,
)
from models.customer.conventions import Conventions
from models.driver import Ranking
from models.evidence import CheckResult, CleaningReport, Evidence, FeatureRecord, SourceFile
from models.hit_rate import RecommendationRecord
from models.import_plan import ImportPlan
from models.manifest import FileRecord, Manifest
from models.model import Reference, SegmentationModel
from models.movement import Movements
from models.playbook import Playbooks, dump_playbooks
from models.proof import prove
from models.rule import Rules
from models.scorer import Scorer
from models.scorer_arrays import ScorerArrays
from models.segment import Segment
from models.spread import Spread
from models.table_reading import TableReading
from training.map import map_of
from training.segmentation import FIT_SAMPLE, Segmentation, sampled

Values = NDArray[np.float64]
REFERENCE_SAMPLE = 256


@dataclass(frozen=True, slots=True)
class Described:
    """What the customers were described by: where it came from, and each numeric feature as an array of shape (n,)."""

    source: Literal["transactions", "customers"]
    as_of: datetime
    data: tuple[SourceFile, ...]
    first: datetime | None
    last: datetime | None
    notes: tuple[str, ...]
    cleaning: CleaningReport | None
    conventions: Conventions
    plan: ImportPlan | None
    plausibility: tuple[CheckResult, ...]
    features: tuple[FeatureRecord, ...]
    values: Mapping[str, Values]
    base: Mapping[str, Spread]
    table: TableReading | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """Everything that was found out: what is published."""

    described: Described
    segmentation: Segmentation
    segment_ids: tuple[int, ...]
    next_segment_id: int
    segments: tuple[Segment, ...]
    evidence: Evidence
    drivers: tuple[Ranking, ...]
    rules: Rules | None
    products: ProductAffinities | None
    recommendations: RecommendationRecord | None
    movements: Movements | None

    @property
    def arrays(self) -> ScorerArrays:
        """The scorer with the segments' ids."""
        return self.segmentation.arrays.model_copy(update={"segment_ids": self.segment_ids})


def publish(
    trained: Trained, models_dir: Path, playbooks: Playbooks, parameters: Mapping[str, str | int | float | bool | None],
    seed: int, previous: SegmentationModel | None, signing_key: bytes | None,
) -> Artifact:  # fmt: skip
    """Write the model as a version of its own and prove it; the same model is the same version."""
    described = trained.described

    def manifest(records: Mapping[str, FileRecord]) -> Manifest:
        return Manifest(
            source=described.source,
            as_of=described.as_of,
            customers=len(trained.segmentation.labels),
            features=described.features,
            ranges={name: (float(np.nanmin(one)), float(np.nanmax(one))) for name, one in described.values.items()},
            base=dict(described.base),
            seed=seed,
            parameters={
                **parameters,
                "tails": trained.segmentation.recipe.tails,
                "fit_sample": min(FIT_SAMPLE, len(trained.segmentation.labels)),
                "next_segment_id": trained.next_segment_id,
            },
            data=described.data,
            data_first=described.first,
            data_last=described.last,
            notes=described.notes,
            cleaning=described.cleaning,
            table=described.table,
            conventions=described.conventions,
            plan=described.plan,
            plausibility=described.plausibility,
            selection=trained.segmentation.selection,
            evidence=trained.evidence,
            drivers=trained.drivers,
            rules=trained.rules,
            recommendations=trained.recommendations,
            movements=trained.movements,
            previous=previous.version if previous else None,
            libraries=_libraries(),
            files=dict(records),
        )

    version = write_artifact(models_dir, _files(trained, playbooks, seed), manifest, signing_key)
    artifact = read_artifact(models_dir / version, signing_key)
    prove(artifact)
    return artifact


def _files(trained: Trained, playbooks: Playbooks, seed: int) -> dict[str, bytes]:
    arrays = trained.arrays
    pipeline = io.BytesIO()
    joblib.dump(trained.segmentation.pipeline, pipeline)
    sample = sampled(trained.segmentation.option.values, REFERENCE_SAMPLE, seed)
    placed = np.array(arrays.segment_ids)[Scorer(arrays).place_many(sample).nearest]
    reference = Reference(values=tuple(tuple(values) for values in sample.tolist()), segment_ids=tuple(placed.tolist()))
    segments: Sequence[Segment] = trained.segments
    return {
        PIPELINE: pipeline.getvalue(),
        SCORER: arrays.model_dump_json(indent=1).encode(),
        SEGMENTS: TypeAdapter(tuple[Segment, ...]).dump_json(tuple(segments), indent=1),
        PLAYBOOKS: dump_playbooks(playbooks).encode(),
        REFERENCE: reference.model_dump_json().encode(),
        PRODUCTS: trained.products.model_dump_json().encode() if trained.products else b"null",
        MAP: map_of(trained.segmentation, arrays, seed).model_dump_json().encode(),
    }


def _libraries() -> dict[str, str]:
    packages = ("scikit-learn", "numpy", "joblib", "scipy", "duckdb", "ibis-framework", "pandas")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}}
