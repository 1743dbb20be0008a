"""Scan, plan: the columns of every table of a source, its statuses, and the plan a person can read and edit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
from pydantic import ValidationError

from models.customer.conventions import StatusMeaning, status_key
from models.import_plan import ImportPlan
from training.errors import MissingColumns, UnreadableSource
from training.reading.options import ReadOptions
from training.reading.order_amounts import REFUNDED
from training.reading.scan import scan
from training.reading.source_part import SourcePart
from training.reading.source_table import Opened, SourceTable
from training.reading.statuses import count_values, describe, interpret, vocabulary
from training.reading.table_plan import TablePlan, plan_table
from training.reading.text_columns import text


@dataclass(frozen=True)
class PlannedTable:
    """A table whose columns are understood."""

    table: SourceTable
    plan: TablePlan


@dataclass(frozen=True)
class PlannedSource:
    """One file, or query, those of its tables whose columns are understood, and notes on the others."""

    opened: Opened
    tables: tuple[PlannedTable, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Statuses:
    """The statuses of all tables: the rows of each value by column, and the meaning of each key."""

    values: Mapping[str, Mapping[str, int]]
    meanings: Mapping[str, StatusMeaning]


def plan_source(opened: Opened, options: ReadOptions) -> PlannedSource:
    """Scan each table and decide on its columns.

    A table without the columns that purchases have is left out and named, unless no table has them. Raises
    UnreadableSource.
    """
    planned, missing = [], []
    for table in opened.tables:
        try:
            planned.append(PlannedTable(table, plan_table(scan(table), options)))
        except MissingColumns as error:
            missing.append(error)
    if not planned:
        raise missing[0]
    return PlannedSource(opened, tuple(planned), tuple(f"Not read: {reason}" for reason in missing))


def plan_statuses(tables: Sequence[PlannedTable], options: ReadOptions) -> Statuses:
    """What every status in the whole source means. Raises UnreadableSource for those that are not known."""
    values: dict[str, dict[str, int]] = {}
    meanings: dict[str, StatusMeaning] = {}
    decided: Mapping[str, StatusMeaning] = {}
    if options.plan is not None and options.plan.conventions is not None:
        decided = options.plan.conventions.statuses
    for one in tables:
        counts = {name: count_values(one.table, name) for name in one.plan.status_columns}
        # Each column apart: what `--status-keep` names need not be in all of them.
        for name, found in counts.items():
            merged = values.setdefault(name, {})
            for value, rows in found.items():
                merged[value] = merged.get(value, 0) + rows
        meanings |= dict.fromkeys(one.plan.flag_columns.values(), "no_purchase")
        if "refund" in one.plan.columns:
            meanings[REFUNDED] = "no_purchase"
    if values:
        meanings |= interpret(values, options.status_keep, decided, tables[0].table.where)
    elif options.status_keep is not None:
        raise UnreadableSource(
            "--status-keep names the statuses of purchases, and no column of statuses was found. Say which it is with "
            "--column status=NAME."
        )
    return Statuses(values, meanings)


def part_of(planned: PlannedTable, statuses: Statuses) -> SourcePart:
    """The table reduced to its fields, with each row's status and a hash of all other columns."""
    table, plan = planned.table, planned.plan
    used = {*plan.columns.values(), *plan.status_columns, *plan.flag_columns}
    fields = {field: _of(table, name) for field, name in plan.columns.items() if field != "time"}
    if "time" in plan.columns:
        fields["at"] = text(fields["at"]) + " " + text(_of(table, plan.columns["time"]))
    sources = {f"status_{index}": _of(table, name) for index, name in enumerate(plan.status_columns)}
    sources |= {f"flag_{index}": _of(table, name) for index, name in enumerate(plan.flag_columns)}
    rest = {f"c{index}": table.table[f"c{index}"] for index, name in enumerate(table.names) if name not in used}
    hashed = (
        {"rest": ibis.struct({name: column.cast("string") for name, column in rest.items()}).hash()} if rest else {}
    )
    selected = table.table.select(**fields, **sources, **hashed)
    columns = {field: name for field, name in plan.columns.items() if field != "time"}
    return SourcePart(
        table.where, selected, columns, table.semicolons, table.left_out, plan.money, plan.discount,
        _status(selected, plan, statuses), bool(rest), table.rows,
    )  # fmt: skip


def import_plan(
    tables: Sequence[PlannedTable], statuses: Statuses, numbers: Mapping[str, str], date_format: str | None,
    currency: str | None,
) -> ImportPlan:  # fmt: skip
    """The plan of all tables in one record."""
    plans = [one.plan for one in tables]
    columns: dict[str, tuple[str, ...]] = {}
    for plan in plans:
        for field, name in plan.columns.items():
            columns[field] = tuple(dict.fromkeys((*columns.get(field, ()), name)))
    decisions = [sentence for plan in plans for sentence in plan.decisions]
    if statuses.values:
        decisions.append(describe(statuses.meanings, statuses.values))
    flags = {name: status for plan in plans for name, status in plan.flag_columns.items()}
    decisions += [f"Rows marked in '{name}' are no purchase ({status})." for name, status in flags.items()]
    return ImportPlan(
        layout=next((plan.layout for plan in plans if plan.layout), None),
        columns=columns,
        status_columns=_union(plan.status_columns for plan in plans),
        flag_columns=flags,
        first_row_only=_union(plan.first_row_only for plan in plans),
        money=plans[0].money,
        discount=plans[0].discount,
        numbers=dict(numbers),
        date_format=date_format,
        currency=currency,
        decisions=tuple(dict.fromkeys(decisions)),
        assumptions=_union(plan.assumptions for plan in plans),
        unused=_union(plan.unused for plan in plans),
    )


def load_plan(path: Path) -> ImportPlan:
    """A saved plan. Raises UnreadableSource."""
    try:
        return ImportPlan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UnreadableSource(f"--plan {path}: the file cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UnreadableSource(
            f"--plan {path}: {where}: {first['msg']}. Write a plan anew with inspect --save-plan and edit that."
        ) from None


def save_plan(plan: ImportPlan, path: Path) -> None:
    """Write a plan as JSON; raises UnreadableSource if that is not possible."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(plan.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise UnreadableSource(f"--save-plan {path}: the file cannot be written: {error.strerror}.") from None


def _of(table: SourceTable, name: str) -> Any:
    return table.table[f"c{table.names.index(name)}"]


def _union(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for group in groups for one in group))


def _status(selected: Any, plan: TablePlan, statuses: Statuses) -> Any | None:
    """The key of each row's status: the first that makes it no purchase, else that of the first status column."""
    deciding, naming = [], []
    for index, name in enumerate(plan.status_columns):
        value = text(selected[f"status_{index}"])
        keys = {written: status_key(written) for written in statuses.values[name]}
        off = {written: key for written, key in keys.items() if statuses.meanings[key] != "purchase"}
        if off:
            deciding.append(value.cases(*off.items(), else_=ibis.null("string")))
        if keys:
            naming.append(value.cases(*keys.items(), else_=ibis.null("string")))
    for index, status in enumerate(plan.flag_columns.values()):
        value = text(selected[f"flag_{index}"])
        unset = value.lower().isin(sorted(vocabulary().no))
        deciding.append(ibis.ifelse(value.notnull() & ~unset, ibis.literal(status), ibis.null("string")))
    if not deciding and not naming:
        return None
    return ibis.coalesce(*deciding, *naming)
