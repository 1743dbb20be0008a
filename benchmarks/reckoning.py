"""What callers were told, held against what the store has."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from benchmarks.told import Told
from models.artifact import read_artifact
from models.model import SegmentationModel
from models.registry import Registry
from service.store.assignment import Assignment
from service.store.database import open_engine
from service.store.schema import assignments, customers

Names = Mapping[str, Mapping[int, str]]


@dataclass(slots=True)
class Reckoning:
    """The outcome. Everything but the first three is something that must not be."""

    told: int = 0
    stored: int = 0
    untold: int = 0  # stored and not told: the caller went away, or the service did
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    unerased: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """One sentence for each kind of fault there is."""
        kinds = {
            "answers were told and are not stored": self.lost,
            "assignment ids were told twice": self.doubled,
            "answers are stored otherwise than they were told": self.differing,
            "answers name a segment that their model does not have": self.torn,
            "customers' current row is not their newest answer": self.stale,
            "answers of customers who were erased are stored": self.unerased,
        }
        return [f"{len(which)} {what}, such as {which[0]}" for what, which in kinds.items() if which]


def reckon(url: str, told: Iterable[Told], names: Names, erased: Iterable[Told] = ()) -> Reckoning:
    """Looks at every row of the database; `names` are the segments of each model version. Of the customers of `erased`
    nothing may be there."""
    found = Reckoning()
    expected: dict[str, Told] = {}
    for answer in told:
        found.told += 1
        if answer.assignment_id in expected:
            found.doubled.append(answer.assignment_id)
        expected[answer.assignment_id] = answer
        if any(names[answer.model_version].get(number) != name for number, name in (answer.segment, answer.runner_up)):
            found.torn.append(answer.assignment_id)
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            _compare(connection, expected, found, {answer.customer_id for answer in erased})
    finally:
        engine.dispose()
    found.lost += list(expected)
    return found


def segment_names(registry: Registry) -> dict[str, dict[int, str]]:
    """The names of all published versions' segments."""
    models = [SegmentationModel.of(read_artifact(registry.path(version))) for version in registry.versions()]
    return {model.version: {segment.id: segment.name for segment in model.segments} for model in models}


def _compare(connection: sa.Connection, expected: dict[str, Told], found: Reckoning, erased: set[str]) -> None:
    """Takes what is stored out of `expected`; what is left is lost."""
    newest: dict[str, tuple[datetime, str]] = {}
    for row in _history(connection):
        found.stored += 1
        newest[row.customer_id] = max(newest.get(row.customer_id, (row.as_of, "")), (row.as_of, row.id))
        answer = expected.pop(row.id, None)
        if row.customer_id in erased:
            found.unerased.append(row.id)
        elif answer is None:
            found.untold += 1
        elif answer != Told.of_row(row):
            found.differing.append(row.id)
    current = {row.customer_id: (row.as_of, row.assignment_id) for row in connection.execute(sa.select(customers))}
    found.stale += [customer for customer in newest.keys() | current if newest.get(customer) != current.get(customer)]


def _history(connection: sa.Connection) -> Iterator[Assignment]:
    columns = [sa.cast(column, sa.Text) if column.name == "features" else column for column in assignments.c]
    rows = connection.execution_options(yield_per=5_000).execute(sa.select(*columns))
    yield from map(Assignment.from_row, rows)
