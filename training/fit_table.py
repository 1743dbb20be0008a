"""From a table of customers, one row each, to a published model: the whole story of it, top to bottom."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.artifact import Artifact
from models.category import LevelShare, columns, expand_many
from models.customer.conventions import Conventions
from models.evidence import Evidence, FeatureRecord
from models.explanation import differences
from models.holdout import held_out
from models.model import SegmentationModel
from models.movement import Movements
from models.playbook import Playbooks
from models.rule import Rules, words_of_table
from models.scorer import Scorer
from models.segment import Segment
from models.spread import Spread
from models.uplift import detectable_uplift
from models.wording import number, per_cent
from training.customer_table import MOST_LEVELS, CustomerTable, read_customer_table, shares
from training.drivers import segmentation_drivers
from training.fit import FIT_THREADS
from training.history import HORIZON
from training.identity import Identity, identify
from training.lineage import Lineage, lineage
from training.movements import unavailable
from training.options import TAILS, Option
from training.profiles import spreads
from training.publication import Described, Trained, publish
from training.recipe import Recipe
from training.rules import find_rules
from training.segmentation import Segmentation, make_segments
from training.table_columns import NUMBERED, Columns, unit
from training.table_naming import names_by_difference
from training.workspace import Workspace

Values = NDArray[np.float64]
Progress = Callable[[str], None]

THIN_CUSTOMERS = 500
WAYS = {"identity": "the columns as they are", "log1p": "log of the columns"}
APART = 0.1  # shares of a word that differ less are not worth saying
MOST_WORDS = 2  # differences in words that are said
UNPROVED = (
    "A table of customers says nothing of later purchases, so whether the segments buy differently later could not be "
    "shown. They were chosen by how stable and how clear they are."
)


@dataclass(frozen=True, slots=True)
class TableOrder:
    """What to train on and how: `columns` says which decide the segment, and how the table is read.

    A table has no dates: `as_of` is the moment that it is of. `horizon`, in days, is how long a test of the advice is
    to take.
    """

    source: Path
    columns: Columns
    as_of: datetime
    models_dir: Path
    playbooks: Playbooks
    segments: Sequence[int] = range(3, 11)
    seed: int = 0
    horizon: int = HORIZON
    signing_key: bytes | None = None

    @property
    def asked(self) -> str:
        """What decides the model beside the data, in short."""
        columns = self.columns
        described = "" if columns.describe is None else f" {list(columns.describe)}"
        missing = f" missing {list(columns.missing)}" if columns.missing else ""
        numbers = f" numbers {dict(columns.numbers)}" if columns.numbers else ""
        return (
            f"{min(self.segments)}-{max(self.segments)} {self.seed} {self.horizon} {columns.id!r} "
            f"{list(columns.features)}{described}{missing}{numbers}"
        )


@dataclass(frozen=True, slots=True)
class _Named:
    """The segments' final ids (in the order of the clusters), their names, and the id of each customer (n,)."""

    identity: Identity
    names: Sequence[str]
    segment_ids: NDArray[np.int64]


def fit_table(order: TableOrder, progress: Progress) -> Artifact:
    """Train on a table of customers and publish the model, proved, under its version; ACTIVE is left as it is.

    The same table (rows in any order), seed and library versions give the same segments. Raises UnreadableSource or
    TooFewCustomers where the table will not do.
    """
    with Workspace() as workspace, threadpool_limits(FIT_THREADS):
        progress("reading")
        read = read_customer_table(order.source, workspace, order.columns)
    with threadpool_limits(FIT_THREADS):
        table = _by_id(read)
        line = lineage(order.models_dir, table.fingerprint, order.as_of, order.asked, order.signing_key)
        made = make_segments(_options(table, line), order.segments, None, order.seed, progress)
        progress("naming and profiling segments")
        named = _named(table, made, line)
        deciding = dict(zip(made.recipe.features, made.option.values.T, strict=True))
        progress("ranking features")
        drivers = (segmentation_drivers(Scorer(made.arrays), deciding, order.seed),)
        rules = find_rules(
            deciding, named.segment_ids, order.seed, partial(words_of_table, table.columns, table.levels)
        )
        progress("publishing")
        trained = Trained(
            described=_described(table, order.as_of),
            segmentation=made,
            segment_ids=named.identity.ids,
            next_segment_id=named.identity.next_id,
            segments=tuple(_segments(table, made, named, rules, order.horizon)),
            evidence=_evidence(table, made, named),
            drivers=drivers,
            rules=rules,
            products=None,
            recommendations=None,
            movements=_movements(line),
        )
        parameters: dict[str, str | int | float | bool | None] = {
            "asked": order.asked,
            "horizon": order.horizon,
            "id": table.reading.id or NUMBERED,
        }
        return publish(
            trained, order.models_dir, order.playbooks, parameters, order.seed, line.previous, order.signing_key
        )


def _by_id(table: CustomerTable) -> CustomerTable:
    """The customers in the order of their ids: in which order they were exported is to have no say."""
    order = sorted(range(len(table.ids)), key=lambda index: table.ids[index])
    return replace(
        table,
        ids=tuple(table.ids[index] for index in order),
        numeric={name: values[order] for name, values in table.numeric.items()},
        categorical={name: tuple(words[index] for index in order) for name, words in table.categorical.items()},
    )


def _options(table: CustomerTable, line: Lineage) -> list[Option]:
    """The way that suits the table's columns, and that of the model before where it was of the same columns."""
    values, names = table.matrix(), tuple(column.name for column in table.columns)
    recipe = Recipe(WAYS[table.transform], names, table.transform, TAILS)
    options = [Option(recipe, None, table.ids, values)]
    before = line.before_of("customers")
    if before is not None and before[0].features == names:
        options.insert(0, Option(before[0], None, table.ids, values, k=before[1]))
    return options


def _named(table: CustomerTable, made: Segmentation, line: Lineage) -> _Named:
    """Ids go on where customers do, and names with them where the same columns decide; else larger segments first."""
    sizes = np.bincount(made.labels, minlength=made.k).tolist()
    identity = identify(made.labels, sizes, line.previous, _placed_before(table, line.previous), line.first_free_id)
    same = line.previous is not None and line.previous.deciding == table.features
    names = names_by_difference(table, made.labels, made.k, identity.names if same else {})
    return _Named(identity, names, np.array(identity.ids, dtype=np.int64)[made.labels])


def _placed_before(table: CustomerTable, previous: SegmentationModel | None) -> NDArray[np.int64] | None:
    """The segment id the model before gives each customer; -1 where it needs what this table lacks."""
    if previous is None:
        return None
    if previous.manifest.source != "customers" or not all(_whole(table, one, previous) for one in previous.deciding):
        return np.full(len(table.ids), -1, dtype=np.int64)
    asked = columns(previous.deciding, previous.levels)
    placed = previous.scorer.place_many(expand_many(asked, table.numeric, table.categorical))
    return np.array(previous.scorer.arrays.segment_ids, dtype=np.int64)[placed.nearest]


def _whole(table: CustomerTable, feature: str, previous: SegmentationModel) -> bool:
    """Whether every customer of the table has the feature, in the form in which the model before takes it."""
    if feature in previous.levels:
        return None not in table.categorical.get(feature, (None,))
    return feature in table.numeric and not np.any(np.isnan(table.numeric[feature]))


def _segments(table: CustomerTable, made: Segmentation, named: _Named, rules: Rules, horizon: int) -> Iterator[Segment]:
    """The segments' profiles, with how stable each is and what a test of the advice could show."""
    values, base = _values(table), spreads(table.numeric)
    stability = made.stability(named.identity.ids)
    rule_of = {rule.segment_id: rule for rule in rules.rules}
    everyone = _shares(table, np.ones(len(table.ids), dtype=np.bool_))
    for one, name in zip(named.identity.ids, named.names, strict=True):
        inside = named.segment_ids == one
        members, own = int(np.count_nonzero(inside)), _shares(table, inside)
        control = sum(held_out(table.ids[index]) for index in np.flatnonzero(inside).tolist())
        features = spreads({feature: of_all[inside] for feature, of_all in values.items()})
        numbers = {feature: spread for feature, spread in features.items() if feature in base}
        yield Segment(
            id=one,
            name=name,
            size=members,
            share=round(members / len(table.ids), 6),
            revenue=None,
            revenue_share=None,
            revenue_per_customer=None,
            profitability_rank=None,
            features=features,
            mode_of_quantity=None,
            countries=(),
            products=(),
            habits=None,
            categories=own,
            differs_in=(*differences(numbers, base, say=_figure), *_differences_in_words(own, everyone)),
            rule=rule_of.get(one),
            jaccard=stability.jaccard[one],
            uplift=detectable_uplift(members, control, None, horizon),
        )


def _values(table: CustomerTable) -> dict[str, Values]:
    """All that is or is made numbers, an array of shape (n,) each: the numeric columns, and 0 and 1 for words."""
    words = {column.name: at for at, column in enumerate(table.columns) if column.level is not None}
    matrix = table.matrix()
    return {**table.numeric, **{name: matrix[:, at] for name, at in words.items()}}


def _shares(table: CustomerTable, inside: NDArray[np.bool_]) -> dict[str, tuple[LevelShare, ...]]:
    """How many of some customers have which word: of columns that decide all words, of others the commonest."""
    rows = np.flatnonzero(inside).tolist()
    words = {name: [all_words[index] for index in rows] for name, all_words in table.categorical.items()}
    return {**shares(words), **shares({name: words[name] for name in table.levels}, MOST_LEVELS)}


def _differences_in_words(
    own: Mapping[str, Sequence[LevelShare]], everyone: Mapping[str, Sequence[LevelShare]]
) -> Iterator[str]:
    """The commonest words of members where another share of all customers has them, the furthest apart first."""
    found = []
    for name, of_members in own.items():
        overall = {one.level: one.share for one in everyone[name]}
        if of_members and abs(of_members[0].share - overall.get(of_members[0].level, 0.0)) > APART:
            level, share = of_members[0].level, of_members[0].share
            other = overall.get(level, 0.0)
            here, over_all = (per_cent(round(one, 2)) for one in (share, other))
            said = f"{name.replace('_', ' ')}: {here} {level}, over all customers {over_all}"
            found.append((-abs(share - other), name, said))
    yield from (said for _, _, said in sorted(found)[:MOST_WORDS])


def _figure(_: str, value: float) -> str:
    return number(value)


def _evidence(table: CustomerTable, made: Segmentation, named: _Named) -> Evidence:
    count = len(table.ids)
    thin = f"only {count} customers; with fewer than {THIN_CUSTOMERS} segments are a rough sketch"
    return Evidence(
        backtests=(),
        stability=made.stability(named.identity.ids),
        calibration=made.calibration,
        warnings=(thin,) if count < THIN_CUSTOMERS else (),
        unproved=(UNPROVED,),
    )


def _movements(line: Lineage) -> Movements | None:
    if line.previous is None:
        return None
    return unavailable(line.previous, "a table of customers says how they are, not how they were then")


def _described(table: CustomerTable, as_of: datetime) -> Described:
    base: dict[str, Spread] = spreads(_values(table))
    return Described(
        source="customers",
        as_of=as_of,
        data=table.fingerprint,
        first=None,
        last=None,
        notes=table.notes,
        cleaning=None,
        table=table.reading,
        conventions=Conventions(),
        plan=None,
        plausibility=(),
        features=tuple(_records(table)),
        values=table.numeric,
        base=base,
    )


def _records(table: CustomerTable) -> Iterator[FeatureRecord]:
    """What each column is: those that decide first, in the order in which the scorer takes them."""
    describing = [name for name in (*table.numeric, *table.categorical) if name not in table.features]
    for name in (*table.features, *describing):
        yield FeatureRecord(
            name=name,
            unit=unit(name),
            formula="as in the table of customers",
            one_order="",
            clusters=name in table.features,
            levels=table.levels.get(name),
        )
