"""From transactions to a published model: the whole story of training, top to bottom."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import ibis
import numpy as np
from ibis import _ as row
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.affinity import ProductAffinities
from models.artifact import Artifact
from models.driver import Ranking
from models.evidence import CheckResult, CleaningReport, Evidence, FeatureRecord
from models.features import FEATURE
from models.hit_rate import RecommendationRecord
from models.holdout import held_out
from models.model import SegmentationModel
from models.movement import Movements
from models.outcome import Outcome
from models.playbook import Playbooks
from models.rule import Rules
from models.scorer import Scorer
from models.segment import Segment
from models.uplift import detectable_uplift
from training import naming
from training.affinities import orders_of
from training.cleaning import Cleaned
from training.cleaning_report import cleaning_report
from training.customers import Customers
from training.drivers import purchase_drivers, segmentation_drivers
from training.errors import Implausible, TooFewCustomers, UnreadableSource
from training.history import HORIZON, History
from training.hit_rate import measure, recommender
from training.identity import Identity, identify
from training.lineage import Lineage, lineage
from training.movements import Journeys, movements, unavailable, write_movers
from training.outcomes import outcomes
from training.preparation.plausibility import run_checks
from training.preparation.prepare import Prepared, prepare
from training.profiles import Members, profile, spreads
from training.publication import Described, Trained, publish
from training.reading.lines import Lines
from training.reading.options import NO_OPTIONS, ReadOptions
from training.rules import find_rules
from training.study import Study, Wish, study
from training.workspace import Workspace

Values = NDArray[np.float64]
Progress = Callable[[str], None]
# Threads add up a sum in another order, and the same data must give the same artifact. Nor are they missed: on some
# thousand customers k-means takes 1.5 s with one thread and, beside another busy process, 7 to 11 s with two.
FIT_THREADS = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What to train on and how. `horizon` is in days.

    `accept` names checks of plausibility that may fail.
    """

    sources: Sequence[str]
    models_dir: Path
    playbooks: Playbooks
    options: ReadOptions = NO_OPTIONS
    segments: Sequence[int] = range(3, 11)
    seed: int = 0
    horizon: int = HORIZON
    preset: str | None = None
    movers: Path | None = None
    accept: frozenset[str] = frozenset()
    signing_key: bytes | None = None

    @property
    def asked(self) -> str:
        """What decides the model beside the data, in short."""
        return f"{min(self.segments)}-{max(self.segments)} {self.seed} {self.horizon} {self.preset or ''}".strip()


@dataclass(frozen=True, slots=True)
class Named:
    """The segments' final ids (in the order of the clusters), names, and the id of each customer (n,)."""

    identity: Identity
    names: Sequence[str]
    segment_ids: NDArray[np.int64]


def fit(order: Order, progress: Progress) -> Artifact:
    """Train on the order's data and publish the model, proved, under its version; ACTIVE is left as it is.

    The same data, seed and library versions give the same version. Raises UnreadableSource, Implausible or
    TooFewCustomers where the data will not do.
    """
    if order.movers is not None and not order.movers.parent.is_dir():
        raise UnreadableSource(f"cannot write {order.movers}: its folder does not exist")
    with Workspace() as workspace, threadpool_limits(FIT_THREADS):
        prepared = prepare(order.sources, workspace, order.options, progress=progress)
        lines, cleaned, as_of = prepared.lines, prepared.cleaned, prepared.as_of
        history = History(cleaned, as_of, order.horizon, workspace)
        progress("summarising customers")
        customers = history.customers(as_of)
        report = cleaning_report(cleaned, customers.known.summaries)
        plausibility = run_checks(report, cleaned, customers.known, lines, order.accept)
        if failed := [check for check in plausibility if not check.passed and not check.accepted]:
            raise Implausible(failed)
        line = lineage(order.models_dir, lines.fingerprint, as_of, order.asked, order.signing_key)
        before = None if order.preset else line.before_of("transactions")
        found = study(history, customers, Wish(order.segments, order.seed, order.preset, before), progress)
        progress("naming and profiling segments")
        named = _named(found, customers, line)
        segments = _profiled(found, named, customers, cleaned, lines, workspace, order)
        progress("ranking features")
        drivers = _drivers(found, customers, order.seed)
        rules = find_rules(_deciding(found, customers), named.segment_ids, order.seed)
        progress("mining products")
        products, recommendations = _products(cleaned, lines, customers, named, as_of, order.seed, workspace)
        moved, journeys = _movements(history, customers, named, line)
        progress("publishing")
        trained = Trained(
            described=_described(prepared, report, plausibility, customers, found),
            segmentation=found.segmentation,
            segment_ids=named.identity.ids,
            next_segment_id=named.identity.next_id,
            segments=_with_rules(segments, rules),
            evidence=_evidence(found, named, plausibility),
            drivers=drivers,
            rules=rules,
            products=products,
            recommendations=recommendations,
            movements=moved,
        )
        parameters: dict[str, str | int | float | bool | None] = {
            "asked": order.asked,
            "horizon": order.horizon,
            "preset": order.preset,
        }
        artifact = publish(
            trained, order.models_dir, order.playbooks, parameters, order.seed, line.previous, order.signing_key
        )
        if order.movers is not None:
            _write_movers(order.movers, journeys, named, line, moved)
        return artifact


def _named(found: Study, customers: Customers, line: Lineage) -> Named:
    labels, k = found.segmentation.labels, found.segmentation.k
    monetary = customers.features["monetary"]
    worth = [float(monetary[labels == index].mean()) for index in range(k)]
    before = _placed_before(customers, line.previous)
    identity = identify(labels, worth, line.previous, before, line.first_free_id)
    names = naming.names_for(naming.standings(customers.features, labels, k), identity.names)
    return Named(identity, names, np.array(identity.ids, dtype=np.int64)[labels])


def _placed_before(customers: Customers, previous: SegmentationModel | None) -> NDArray[np.int64] | None:
    """The segment id the model before gives each customer; -1 where it needs features this data lacks."""
    if previous is None:
        return None
    if previous.manifest.source != "transactions" or not customers.all_have(previous.features):
        return np.full(len(customers.known.ids), -1, dtype=np.int64)
    return _placed_by(previous, customers)


def _placed_by(model: SegmentationModel, customers: Customers) -> NDArray[np.int64]:
    placed = model.scorer.place_many(customers.matrix(model.features))
    return np.array(model.scorer.arrays.segment_ids, dtype=np.int64)[placed.nearest]


def _profiled(
    found: Study, named: Named, customers: Customers, cleaned: Cleaned, lines: Lines, workspace: Workspace, order: Order
) -> tuple[Segment, ...]:
    """The segments' profiles, with how stable each is, what its members did later and what a test could show."""
    ids = customers.known.ids
    members = Members(ids, named.segment_ids, customers.features, customers.known.summaries.country)
    names = dict(zip(named.identity.ids, named.names, strict=True))
    stability = found.segmentation.stability(named.identity.ids)
    later = _outcomes(found, named, order)
    profiled = []
    for segment in profile(members, names, cleaned, lines, workspace):
        inside = [ids[index] for index in np.flatnonzero(named.segment_ids == segment.id).tolist()]
        outcome = later.get(segment.id)
        base = outcome.bought_again.value if outcome else None
        control = sum(held_out(one) for one in inside)
        proof = {
            "jaccard": stability.jaccard[segment.id],
            "outcome": outcome,
            "uplift": detectable_uplift(len(inside), control, base, order.horizon),
        }
        profiled.append(segment.model_copy(update=proof))
    return tuple(profiled)


def _outcomes(found: Study, named: Named, order: Order) -> dict[int, Outcome]:
    made = found.segmentation
    if found.trial is None or made.labels_then is None or made.backtest is None:
        return {}
    snapshot, beyond = found.trial.snapshot, made.backtest.beyond_chance
    return outcomes(snapshot, made.labels_then, named.identity.ids, order.horizon, beyond, order.seed)


def _evidence(found: Study, named: Named, plausibility: Sequence[CheckResult]) -> Evidence:
    made = found.segmentation
    return Evidence(
        backtests=(made.backtest,) if made.backtest else (),
        stability=made.stability(named.identity.ids),
        calibration=made.calibration,
        warnings=(*found.warnings, *(check.warning for check in plausibility if check.accepted)),
        unproved=found.unproved,
    )


def _drivers(found: Study, customers: Customers, seed: int) -> tuple[Ranking, ...]:
    """What drives the segmentation and, where there is a back-test with enough buyers, what drives later purchases."""
    made = found.segmentation
    ranked = [segmentation_drivers(Scorer(made.arrays), _deciding(found, customers), seed)]
    if found.trial is not None:
        snapshot = found.trial.snapshot
        try:
            later = purchase_drivers(snapshot.customers.features, snapshot.bought, snapshot.revenue, seed)
        except TooFewCustomers:
            return tuple(ranked)
        ranked += [later.bought, later.revenue]
    return tuple(ranked)


def _deciding(found: Study, customers: Customers) -> dict[str, Values]:
    return {name: customers.features[name] for name in found.segmentation.recipe.features}


def _with_rules(segments: Sequence[Segment], rules: Rules) -> tuple[Segment, ...]:
    by_id = {rule.segment_id: rule for rule in rules.rules}
    return tuple(segment.model_copy(update={"rule": by_id.get(segment.id)}) for segment in segments)


def _products(
    cleaned: Cleaned, lines: Lines, customers: Customers, named: Named, as_of: datetime, seed: int, workspace: Workspace
) -> tuple[ProductAffinities | None, RecommendationRecord | None]:
    """What goes with what, and how well it recommends; None where the data names no products."""
    if "product" not in lines.present:
        return None, None
    kept = cleaned.purchases.filter(~row.undone)
    orders = orders_of(kept, lines.table, customers.known.ids, named.segment_ids, seed, workspace)
    if not orders.products:
        return None, None
    return recommender(orders, as_of.timestamp(), seed), measure(orders, seed)


def _movements(
    history: History, customers: Customers, named: Named, line: Lineage
) -> tuple[Movements | None, Journeys | None]:
    """Who moved since the model before, and why: counted, and one by one; None where that cannot be told."""
    previous = line.previous
    if previous is None:
        return None, None
    if previous.manifest.source != "transactions" or not customers.all_have(previous.features):
        return unavailable(previous, "it needs features that this data does not have"), None
    if previous.manifest.as_of > history.as_of:
        return unavailable(previous, f"it is of {previous.manifest.as_of:%Y-%m-%d}, after this model's moment"), None
    then = history.customers(previous.manifest.as_of)
    if not then.known.ids or not then.all_have(previous.features):
        return unavailable(previous, "this data does not go back to its moment"), None
    journeys = Journeys.of(
        then.known.ids,
        _placed_by(previous, then),
        customers.known.ids,
        _placed_by(previous, customers),
        named.segment_ids,
    )
    return movements(previous, journeys), journeys


def _write_movers(out: Path, journeys: Journeys | None, named: Named, line: Lineage, moved: Movements | None) -> None:
    if journeys is None or line.previous is None:
        why = moved.says if moved else "There is no model before this one."
        raise UnreadableSource(f"the model is published, but {out} was not written. {why}")
    before = {segment.id: segment.name for segment in line.previous.segments}
    write_movers(out, journeys, dict(zip(named.identity.ids, named.names, strict=True)) | before)


def _described(
    prepared: Prepared,
    report: CleaningReport,
    plausibility: tuple[CheckResult, ...],
    customers: Customers,
    found: Study,
) -> Described:
    first, last = _first_and_last(prepared)
    deciding = found.segmentation.recipe.features
    return Described(
        source="transactions",
        as_of=prepared.as_of,
        data=prepared.lines.fingerprint,
        first=first,
        last=last,
        notes=prepared.notes,
        cleaning=report,
        plausibility=plausibility,
        conventions=prepared.conventions,
        plan=prepared.plan,
        features=tuple(_feature_record(name, name in deciding) for name in customers.features),
        values=customers.features,
        base=spreads(customers.features),
    )


def _first_and_last(prepared: Prepared) -> tuple[datetime, datetime]:
    """The first and the last plausible moment of any line."""
    at, earliest = prepared.lines.table["at"], prepared.conventions.earliest
    plausible = at < ibis.timestamp(prepared.end.replace(tzinfo=None).isoformat(sep=" "))
    if earliest is not None:
        plausible &= at >= ibis.timestamp(datetime.fromtimestamp(earliest, UTC).replace(tzinfo=None).isoformat(sep=" "))
    moments = prepared.lines.table.filter(plausible).agg(first=at.min(), last=at.max()).to_pyarrow().to_pylist()[0]
    return moments["first"].replace(tzinfo=UTC), moments["last"].replace(tzinfo=UTC)


def _feature_record(name: str, decides: bool) -> FeatureRecord:
    known = FEATURE[name]
    return FeatureRecord(name=name, unit=known.unit, formula=known.formula, one_order=known.one_order, clusters=decides)
