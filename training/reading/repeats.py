"""Rows that two tables of one run both have, and that would count twice."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import ibis

from training.errors import UnreadableSource
from training.reading.source_table import SourceTable
from training.workspace import Workspace

# Share of the smaller table's rows from which they are no coincidence: the same purchase on the same day.
SHARE = 0.02


@dataclass(frozen=True)
class Repeat:
    """That `rows` of the `of` rows of a table are also in another."""

    first: str
    second: str
    rows: int
    of: int

    def __str__(self) -> str:
        return f"{self.rows:,} of {self.of:,} rows are both in {self.first} and in {self.second}"


@dataclass(frozen=True)
class Repeats:
    """What tables repeat of each other."""

    found: Sequence[Repeat] = ()

    def refuse(self) -> None:
        """Raises UnreadableSource, for tables in which nothing tells whether a row is the same purchase."""
        if self.found:
            raise UnreadableSource(
                f"{self.found[0]}, and would count twice. Give only one of them: name the sheets to read with "
                f"--sheet NAME, or leave out a file."
            )

    def notes(self) -> list[str]:
        """A sentence for each, for tables whose rows are told apart by invoice and product."""
        return [f"{repeat}; the second ones count as duplicates." for repeat in self.found]


def find_repeats(tables: Sequence[SourceTable], workspace: Workspace) -> Repeats:
    """Compares whole rows, of all tables whose columns have the same names in whatever order."""
    alike: dict[frozenset[str], list[SourceTable]] = {}
    for table in tables:
        alike.setdefault(frozenset(filter(None, table.names)), []).append(table)
    return Repeats([repeat for group in alike.values() if len(group) > 1 for repeat in _compared(group, workspace)])


def _compared(tables: Sequence[SourceTable], workspace: Workspace) -> list[Repeat]:
    counted = [_hashes(table).group_by("row").aggregate(count=lambda rows: rows.count()) for table in tables]
    stored = [workspace.store("row_hashes", table) for table in counted]
    sizes = [_sum(table["count"]) for table in stored]
    found = []
    for (first, here, size), (second, there, other) in combinations(zip(tables, stored, sizes, strict=True), 2):
        smaller, larger = (here, there) if size <= other else (there, here)
        both = _sum(smaller.semi_join(larger, "row")["count"])
        if both > SHARE * min(size, other):
            found.append(Repeat(first.where, second.where, both, min(size, other)))
    return found


def _hashes(table: SourceTable) -> Any:
    places = [table.names.index(name) for name in sorted(filter(None, set(table.names)))]
    texts = [table.table[f"c{place}"].cast("string").fill_null("") for place in places]
    return table.table.select(row=ibis.literal("\x1f").join(texts).hash())


def _sum(counts: Any) -> int:
    return int(counts.sum().to_pyarrow().as_py() or 0)
