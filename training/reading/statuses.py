"""Columns that say what kind of row a row is: paid or cancelled, a sale or a refund, a purchase or a view."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ibis import _ as row

from models.customer.conventions import StatusMeaning, status_key
from training.errors import UnreadableSource
from training.reading.column_mapping import candidates, listed, reduced, role_of, words
from training.reading.scan import ColumnScan, TableScan
from training.reading.source_table import SourceTable
from training.reading.text_columns import text

MOST_STATUSES = 60  # a column with more different values says something else
SHOWN = 8
# These names say nothing else; `type`, `state`, `event` and `action` can be of anything.
_SURE = re.compile(r"status|statut|eventtype|eventname|transactiontype|orderstate|currentstate|ordertype|estado|stato")
_TELLING = re.compile(r"cancel|refund|void|fail|pending|storn|annul|abandon|remove from cart|^view|erstatte|rembours")
_FLAG_STATUS = {"cancelled": "cancelled", "test": "test order", "returned": "returned"}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The meaning of statuses in use, by their key, and the words of flags."""

    meanings: Mapping[str, StatusMeaning]
    no: frozenset[str]


@dataclass(frozen=True, slots=True)
class StatusColumns:
    """The status columns of a table, its flags (column to the status they give), and what was not used."""

    columns: tuple[str, ...]
    flags: Mapping[str, str]
    unused: tuple[str, ...]


@cache
def vocabulary() -> Vocabulary:
    """The statuses that ship with the package, `statuses.json`."""
    known = json.loads(files("training.reading").joinpath("statuses.json").read_text("utf-8"))
    kinds: tuple[StatusMeaning, ...] = ("purchase", "return", "no_purchase")
    meanings: dict[str, StatusMeaning] = {status_key(word): kind for kind in kinds for word in known[kind]}
    return Vocabulary(meanings, frozenset(known["flags"]["no"]))


def find_status_columns(scan: TableScan, names: Sequence[str], listed_first: Sequence[str]) -> StatusColumns:
    """The columns among `names` that say what kind of row a row is; those of a known layout are `listed_first`.

    Raises UnreadableSource for a column whose values look like statuses although its name does not.
    """
    known = vocabulary().meanings
    flags = {
        name: _FLAG_STATUS[role]
        for name in names
        if (role := role_of(name)) in _FLAG_STATUS and _is_flag(scan.columns[name], role or "")
    }
    columns, unused = [name for name in listed_first if name not in flags], []
    for name in candidates(names, "status"):
        column = scan.columns[name]
        if name in columns or name in flags or not column.present:
            continue
        keys = {status_key(value) for value in column.distinct}
        sure = _SURE.search(reduced(name)) is not None
        if len(keys) > MOST_STATUSES or column.is_date or (not sure and not keys <= known.keys()):
            unused.append(f"'{name}' is not used: its values ({column.example}) are not known as statuses.")
        else:
            columns.append(name)
    for name in names:
        column = scan.columns[name]
        if role_of(name) == "fulfilment" and column.present:
            unused.append(f"'{name}' is not used: it tells what was sent, not what was bought.")
        elif not columns and name not in flags and _has_statuses(column, known):
            raise UnreadableSource(
                f"{scan.where}: '{name}' has {column.example}, which look like statuses. Say --column status='{name}' "
                f"if "
                "they tell which rows are purchases, or --column status= if no column does."
            )
    return StatusColumns(tuple(columns), flags, tuple(unused))


def count_values(table: SourceTable, name: str) -> dict[str, int]:
    """How many rows of the whole table have each value of a column. Raises UnreadableSource if it has too many."""
    column = text(table.table[f"c{table.names.index(name)}"])
    counted = table.table.select(value=column).filter(row.value.notnull()).group_by("value").aggregate(rows=row.count())
    found = counted.limit(MOST_STATUSES + 1).to_pyarrow().to_pylist()
    if len(found) > MOST_STATUSES:
        raise UnreadableSource(
            f"{table.where}: '{name}' has more than {MOST_STATUSES} different values, so it is no status. Say which "
            f"column "
            "is with --column status=NAME, or --column status= if there is none."
        )
    return {one["value"]: one["rows"] for one in sorted(found, key=lambda one: (-one["rows"], one["value"]))}


def interpret(
    values: Mapping[str, Mapping[str, int]],
    keep: Sequence[str] | None,
    decided: Mapping[str, StatusMeaning],
    where: str,
) -> dict[str, StatusMeaning]:
    """The meaning of every status, by its key; `values` counts the rows of each value by column.

    `keep` are the statuses of purchases, if they were stated: all others then are no purchase, but for refunds.
    `decided` comes before the vocabulary. Raises UnreadableSource for statuses that are not known.
    """
    known = vocabulary().meanings
    rows: dict[str, int] = {}
    for counts in values.values():
        for value, count in counts.items():
            rows[status_key(value)] = rows.get(status_key(value), 0) + count
    if keep is not None:
        return _keep_stated(rows, keep, where)
    unknown = [key for key in rows if key not in known and key not in decided]
    if unknown:
        shown = ", ".join(f"'{key}' ({rows[key]:,} rows)" for key in unknown[:SHOWN])
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        likely = [key for key in rows if known.get(key) == "purchase"]
        raise UnreadableSource(
            f"{where}: column {listed(values)} has values that are not known as statuses: {shown}{more}. Name all "
            f"that are "
            f"purchases with --status-keep, such as --status-keep '{','.join([*likely, unknown[0]])}', or say "
            "--column status= if the column tells nothing about purchases."
        )
    return {key: decided.get(key) or known[key] for key in rows}


def _keep_stated(rows: Mapping[str, int], keep: Sequence[str], where: str) -> dict[str, StatusMeaning]:
    wanted = {status_key(word) for word in keep}
    if missing := sorted(wanted - rows.keys()):
        raise UnreadableSource(
            f"{where}: --status-keep names {listed(missing)}, which no row has; its statuses are {listed(rows)}."
        )
    returns = {key for key in rows if vocabulary().meanings.get(key) == "return"}
    return {key: "purchase" if key in wanted else "return" if key in returns else "no_purchase" for key in rows}


def describe(statuses: Mapping[str, StatusMeaning], values: Mapping[str, Mapping[str, int]]) -> str:
    """What the statuses were taken for, with the rows of each."""
    rows: dict[str, int] = {}
    for counts in values.values():
        for value, count in counts.items():
            rows[status_key(value)] = rows.get(status_key(value), 0) + count
    kinds = {"purchase": "purchases", "return": "returns", "no_purchase": "no purchases"}
    said = []
    for kind, called in kinds.items():
        found = [f"'{key}' ({rows.get(key, 0):,})" for key, meaning in statuses.items() if meaning == kind]
        if found:
            said.append(f"{called}: {', '.join(found)}")
    return f"Statuses from {listed(values)}, with their rows: {'; '.join(said)}."


def _is_flag(column: ColumnScan, role: str) -> bool:
    if not column.present:
        return False
    if column.is_date:
        return role == "cancelled"
    return len(column.distinct) <= 3 and all(len(value) <= 10 for value in column.distinct)


def _has_statuses(column: ColumnScan, known: Mapping[str, StatusMeaning]) -> bool:
    keys = {status_key(value) for value in column.distinct}
    if not keys or len(keys) > 12 or role_of(column.name) or column.is_numeric:
        return False
    if {"method", "reason", "note"} & set(words(column.name)):
        return False
    return keys <= known.keys() and any(_TELLING.search(key) for key in keys)
