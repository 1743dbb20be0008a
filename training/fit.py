"""From transactions to a published model: the whole story of training, top to bottom."""

import contextlib
import importlib.metadata
import io
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from models.artifact import PIPELINE, PLAYBOOKS, REFERENCE, SCORER, SEGMENTS, Artifact, read_artifact, write_artifact
from models.errors import ModelError, NoActiveModel
from models.evidence import CleaningReport, FeatureRecord, Selection
from models.features import FEATURE
from models.manifest import FileRecord, Manifest, version_of
from models.model import Reference, SegmentationModel
from models.playbook import Playbooks, dump_playbooks
from models.proof import prove
from models.registry import Registry
from models.scorer import Scorer, ScorerArrays
from models.segment import Segment
from training import naming
from training.cleaning import clean
from training.customers import Customers, describe, end_of_last_day
from training.errors import TooFewCustomers, UnreadableSource
from training.identity import Identity, identify
from training.pipeline import arrays_of, build, scaled
from training.profiles import Members, profile, spreads
from training.reading.lines import Lines
from training.reading.source import read
from training.report import cleaning_report
from training.selection import select
from training.summaries import summarise
from training.workspace import Workspace

Values = NDArray[np.float64]
Progress = Callable[[str], None]
CLUSTERED = ("recency", "frequency", "monetary", "tenure")
TRANSFORM = "log1p"
FIT_SAMPLE = 50_000  # k-means on a uniform sample of this size finds the same centres to within sampling error
REFERENCE_SAMPLE = 256
# Threads add up a sum in another order, and the same data must give the same artifact. Nor are they missed: on some
# thousand customers k-means takes 1.5 s with one thread and, beside another busy process, 7 to 11 s with two.
FIT_THREADS = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What to train on and how. `as_of` None means the end of the last purchase day."""

    sources: Sequence[str]
    models_dir: Path
    playbooks: Playbooks
    query: str | None = None
    columns: Mapping[str, str] | None = None
    date_format: str | None = None
    as_of: datetime | None = None
    segments: Sequence[int] = range(4, 9)
    seed: int = 0
    signing_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Fitted:
    """A pipeline fitted to customers, and the segment each of its clusters is."""

    pipeline: Pipeline
    labels: NDArray[np.intp]
    identity: Identity
    names: Sequence[str]
    selection: Selection


def fit(order: Order, progress: Progress) -> Artifact:
    """Train on the order's data and publish the model, proved, under its version; ACTIVE is left as it is.

    The same data, seed and library versions give the same version. Raises UnreadableSource or TooFewCustomers
    where the data will not do.
    """
    with Workspace() as workspace, threadpool_limits(FIT_THREADS):
        progress("reading")
        lines = read(
            order.sources, workspace, query=order.query, columns=order.columns or {}, date_format=order.date_format
        )
        as_of = order.as_of or end_of_last_day(lines)
        progress("cleaning")
        cleaned = clean(lines, as_of, workspace)
        progress("summarising customers")
        customers = describe(summarise(cleaned), as_of)
        report = cleaning_report(cleaned, customers.known.summaries)
        previous = _previous(order)
        fitted = _fit(customers, previous, order, progress)
        progress("profiling segments")
        ids = np.array(fitted.identity.ids)[fitted.labels]
        members = Members(customers.known.ids, ids, customers.features, customers.known.summaries.country)
        named = dict(zip(fitted.identity.ids, fitted.names, strict=True))
        segments = profile(members, named, cleaned, lines, workspace)
        progress("publishing")
        return _publish(order, lines, as_of, customers, fitted, segments, report, previous)


def _previous(order: Order) -> SegmentationModel | None:
    registry = Registry(order.models_dir)
    try:
        active = registry.active()
    except NoActiveModel:
        return None
    try:
        return SegmentationModel.of(read_artifact(registry.path(active), order.signing_key))
    except ModelError as error:
        raise UnreadableSource(
            f"the active model in {order.models_dir} cannot be read, so its segment ids cannot be carried on: {error} "
            "Mend or remove it, or train into another --models-dir."
        ) from error


def _fit(customers: Customers, previous: SegmentationModel | None, order: Order, progress: Progress) -> Fitted:
    values = customers.matrix(CLUSTERED)
    if len(values) < min(order.segments):
        raise TooFewCustomers(
            f"{len(values)} customers have a purchase left after cleaning, too few for {min(order.segments)} segments; "
            "the cleaning report says what was left out"
        )
    sample = _sample(values, FIT_SAMPLE, order.seed)
    trial = build(TRANSFORM, sample, min(order.segments), order.seed, starts=1).fit(sample)
    selection = select(scaled(trial, sample), order.segments, order.seed, progress)
    pipeline = build(TRANSFORM, sample, selection.chosen, order.seed).fit(sample)
    labels = pipeline.predict(values).astype(np.intp)
    identity = identify(
        labels, selection.chosen, previous, _placed_before(customers, previous), _first_free_id(order, previous)
    )
    recency, frequency, monetary = (customers.features[name] for name in ("recency", "frequency", "monetary"))
    standings = naming.standings(recency, frequency, monetary, labels, selection.chosen)
    return Fitted(pipeline, labels, identity, naming.names_for(standings, identity.names), selection)


def _first_free_id(order: Order, previous: SegmentationModel | None) -> int:
    """The first segment id that no published model has given, whether it was ever active or not."""
    if previous is None:
        return 1
    registry = Registry(order.models_dir)
    given = [int(previous.manifest.parameters["next_segment_id"] or 1)]
    for version in registry.versions():
        with contextlib.suppress(ModelError):  # one that cannot be read was never served
            manifest = read_artifact(registry.path(version), order.signing_key).manifest
            given.append(int(manifest.parameters["next_segment_id"] or 1))
    return max(given)


def _placed_before(customers: Customers, previous: SegmentationModel | None) -> NDArray[np.intp] | None:
    """The segment id the model before gives each customer; -1 where it needs features this data lacks."""
    if previous is None:
        return None
    if not set(previous.features) <= set(customers.features):
        return np.full(len(customers.known.ids), -1, dtype=np.intp)
    placed = previous.scorer.place_many(customers.matrix(previous.features))
    return np.array(previous.scorer.arrays.segment_ids, dtype=np.intp)[placed.nearest]


def _sample(values: Values, most: int, seed: int) -> Values:
    if len(values) <= most:
        return values
    chosen = np.random.default_rng(seed).choice(len(values), most, replace=False)
    return values[np.sort(chosen)]


def _publish(
    order: Order, lines: Lines, as_of: datetime, customers: Customers, fitted: Fitted,
    segments: Sequence[Segment], report: CleaningReport, previous: SegmentationModel | None,
) -> Artifact:  # fmt: skip
    arrays = arrays_of(fitted.pipeline, TRANSFORM, CLUSTERED, fitted.identity.ids)
    files = _files(order, arrays, fitted, segments, customers)
    first, last = (moment.to_pyarrow().as_py() for moment in (lines.table["at"].min(), lines.table["at"].max()))

    def manifest(records: Mapping[str, FileRecord]) -> Manifest:
        made = Manifest(
            as_of=as_of,
            customers=len(customers.known.ids),
            features=tuple(_feature_record(name) for name in customers.features),
            ranges={name: (float(np.nanmin(one)), float(np.nanmax(one))) for name, one in customers.features.items()},
            base=spreads(customers.features),
            seed=order.seed,
            parameters={
                "transform": TRANSFORM,
                "segments_from": min(order.segments),
                "segments_to": max(order.segments),
                "fit_sample": min(FIT_SAMPLE, len(customers.known.ids)),
                "next_segment_id": fitted.identity.next_id,
            },
            data=lines.fingerprint,
            data_first=first.replace(tzinfo=UTC),
            data_last=last.replace(tzinfo=UTC),
            notes=lines.notes,
            cleaning=report,
            selection=fitted.selection,
            previous=previous.version if previous else None,
            libraries=_libraries(),
            files=dict(records),
        )
        return _unless_it_is_the_same(made, previous)

    version = write_artifact(order.models_dir, files, manifest, order.signing_key)
    artifact = read_artifact(order.models_dir / version, order.signing_key)
    prove(artifact)
    return artifact


def _unless_it_is_the_same(made: Manifest, previous: SegmentationModel | None) -> Manifest:
    """Where only the model before differs, and that is this very model, nothing is new: no new version."""
    if previous is None:
        return made
    as_before = made.model_copy(update={"previous": previous.manifest.previous})
    return as_before if version_of(as_before.to_bytes(), made.as_of) == previous.version else made


def _files(
    order: Order, arrays: ScorerArrays, fitted: Fitted, segments: Sequence[Segment], customers: Customers
) -> dict[str, bytes]:
    pipeline = io.BytesIO()
    joblib.dump(fitted.pipeline, pipeline)
    sample = _sample(customers.matrix(CLUSTERED), REFERENCE_SAMPLE, order.seed)
    placed = np.array(arrays.segment_ids)[Scorer(arrays).place_many(sample).nearest]
    reference = Reference(values=tuple(tuple(values) for values in sample.tolist()), segment_ids=tuple(placed.tolist()))
    return {
        PIPELINE: pipeline.getvalue(),
        SCORER: arrays.model_dump_json(indent=1).encode(),
        SEGMENTS: TypeAdapter(tuple[Segment, ...]).dump_json(tuple(segments), indent=1),
        PLAYBOOKS: dump_playbooks(order.playbooks).encode(),
        REFERENCE: reference.model_dump_json().encode(),
    }


def _feature_record(name: str) -> FeatureRecord:
    known = FEATURE[name]
    return FeatureRecord(
        name=name, unit=known.unit, formula=known.formula, one_order=known.one_order, clusters=name in CLUSTERED
    )


def _libraries() -> dict[str, str]:
    packages = ("scikit-learn", "numpy", "joblib", "scipy", "duckdb", "ibis-framework", "pandas")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}}
