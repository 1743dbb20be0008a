"""Scan, plan, read: purchase data, wherever it is, becomes one table of lines."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ibis
from ibis import _ as row

from models.customer.conventions import StatusMeaning
from models.customer.customer_id import ROUNDED_ID
from models.evidence import SourceFile
from models.import_plan import ImportPlan
from training.errors import UnreadableSource
from training.reading import dates
from training.reading.column_mapping import listed
from training.reading.engine_errors import worded
from training.reading.lines import RAW_SCHEMA, SCHEMA, Lines, OrderBy
from training.reading.options import NO_OPTIONS, ReadOptions
from training.reading.order_amounts import convert, currency_status, settle_orders, take_currency
from training.reading.plan import (
    PlannedSource,
    PlannedTable,
    Statuses,
    import_plan,
    part_of,
    plan_source,
    plan_statuses,
)
from training.reading.repeats import find_repeats
from training.reading.source import open_sources
from training.reading.source_part import SourcePart, check_unchanged
from training.reading.source_table import Opened
from training.reading.survey import survey
from training.reading.typed_part import TypedPart
from training.workspace import Workspace

# So many of the first rows tell how dates and numbers are written; where they leave it open, more are asked, then all.
HEADS = (100_000, 1_000_000)

ABSENT: Mapping[str, str] = {
    "product": "No column for product: products bought, and what is recommended from them, are absent.",
    "description": "No column for description: products are known by their codes only.",
    "quantity": "No column for quantity: every line counts as one unit.",
    "country": "No column for country: the country mix is absent.",
}
BY_MOMENT = "No column for invoice: an order is what one customer bought at one moment."
BY_DAY = "No column for invoice, and dates without a time: an order is what one customer bought on one day."
UNREADABLE = "the rows cannot be brought into one table. Save the data anew as CSV in UTF-8, and try with a part of it."
LINE_TOTAL = "'{}' is a line total: it is divided by the quantity to give the unit price."
ROUNDED_FLOAT = r"^\d{16,}\.0+$"  # from 2^53 on a float stands for several whole numbers


def read(sources: Sequence[str], workspace: Workspace, options: ReadOptions = NO_OPTIONS) -> Lines:
    """The purchase lines of all `sources`, in order: files, folders of files, or one database URL.

    The lines live as long as the workspace. Raises UnreadableSource with a sentence that says what to do, also where
    the data leaves open what is meant.
    """
    opened = open_sources(sources, workspace, options.query, options.sheets)
    with worded(", ".join(one.name for one in opened), UNREADABLE):
        planned = [plan_source(one, options) for one in opened]
        tables = [table for source in planned for table in source.tables]
        repeats = find_repeats([one.table for one in tables], workspace)
        if any({"invoice", "product"} - one.plan.columns.keys() for one in tables):
            repeats.refuse()
        lines = _read(planned, workspace, options)
        return replace(lines, notes=(*lines.notes, *repeats.notes()))


def _read(planned: Sequence[PlannedSource], workspace: Workspace, options: ReadOptions) -> Lines:
    tables = [table for source in planned for table in source.tables]
    statuses = plan_statuses(tables, options)
    parts = [[part_of(table, statuses) for table in source.tables] for source in planned]
    _check_same_fields([part for group in parts for part in group])
    stored = _store_all(planned, parts, _typed(parts, workspace, options), workspace)
    if stored.unreadable:
        # What the first rows show may not hold for all: now all are asked, which also finds what contradicts itself.
        typed = _typed_by(parts, workspace, options, None)
        if _formats(typed) != _formats(stored.typed):
            stored = _store_all(planned, parts, typed, workspace)
    return _lines(planned, tables, statuses, stored, workspace, options)


@dataclass(frozen=True)
class _Stored:
    """All rows in one table of the workspace, in the columns of `RAW_SCHEMA` and `line`."""

    typed: Sequence[Sequence[TypedPart]]
    table: Any
    files: Sequence[SourceFile]
    unreadable: Sequence[str]
    has_time: bool
    perhaps_rounded: bool


def _lines(
    planned: Sequence[PlannedSource], tables: Sequence[PlannedTable], statuses: Statuses, stored: _Stored,
    workspace: Workspace, options: ReadOptions,
) -> Lines:  # fmt: skip
    typed = [part for group in stored.typed for part in group]
    columns = typed[0].part.columns
    if stored.perhaps_rounded:
        _refuse_rounded(stored.table, columns, typed[0].part.where)
    table, meanings = stored.table, dict(statuses.meanings)
    plans = [one.plan for one in tables]
    if any(plan.first_row_only or plan.money == "order_total" for plan in plans) or columns.keys() & {
        "order_discount", "refund",
    }:  # fmt: skip
        first_row_only = [field for plan in plans for field in plan.first_row_only]
        table = settle_orders(table, first_row_only, plans[0].money == "order_total")
        table = workspace.store("settled_lines", table.order_by("line"))
    in_cells = {part.currency for part in typed if part.currency}
    if len(in_cells) > 1:
        raise UnreadableSource(f"Amounts are in {listed(sorted(in_cells))}, which cannot be added up; read them apart.")
    currency = next(iter(in_cells), None)
    if "currency" in columns:
        table, meanings, currency = _one_currency(table, meanings, typed[0].part, options)
    elif options.currency or options.rates:
        raise UnreadableSource(
            f"{typed[0].part.where} has no column of currencies, which --currency and --rates need. Say which it is "
            f"with "
            "--column currency=NAME."
        )
    view = workspace.backend.create_view(workspace.name("lines"), table.select("line", *SCHEMA))
    order_by: OrderBy = "invoice" if "invoice" in columns else "moment" if stored.has_time else "day"
    plan = import_plan(tables, statuses, _number_formats(typed), options.date_format, currency)
    return Lines(
        table=view,
        present=frozenset([*columns, *(["status"] if meanings else [])]),
        has_time=stored.has_time,
        rows=_rows(stored.files),
        fingerprint=tuple(stored.files),
        notes=(
            *(note for source in planned for note in (*source.opened.notes, *source.notes)),
            *(note for part in typed for note in part.notes()),
            *plan.decisions,
            *plan.assumptions,
            *_absences(columns, order_by, plan),
            *plan.unused,
            *stored.unreadable,
        ),
        order_by=order_by,
        statuses=meanings,
        currency=currency,
        plan=plan,
    )


def _typed(parts: Sequence[Sequence[SourcePart]], workspace: Workspace, options: ReadOptions) -> list[list[TypedPart]]:
    """How each part is read, by its first rows if they tell: to ask all of millions takes seconds."""
    for rows in HEADS:
        try:
            return _typed_by(parts, workspace, options, rows)
        except UnreadableSource:
            if not any(_has_more_rows(part, rows) for group in parts for part in group):
                raise
    return _typed_by(parts, workspace, options, None)


def _has_more_rows(part: SourcePart, rows: int) -> bool:
    return _count(part.table.limit(rows + 1)) > rows


def _typed_by(
    parts: Sequence[Sequence[SourcePart]], workspace: Workspace, options: ReadOptions, rows: int | None
) -> list[list[TypedPart]]:
    """How each part is read, by so many of its first rows, or all. Raises UnreadableSource where they do not tell."""
    stated = dict(options.plan.numbers if options.plan else {}) | dict(options.numbers)
    date_format = options.date_format or (options.plan.date_format if options.plan else None)
    surveys = [[survey(part, workspace, rows, stated) for part in group] for group in parts]
    readings = iter(dates.decide([one.dates for group in surveys for one in group if one.dates], date_format))
    return [
        [
            TypedPart(part, next(readings) if one.dates else None, one.numbers, one.currency)
            for part, one in zip(group, surveyed, strict=True)
        ]
        for group, surveyed in zip(parts, surveys, strict=True)
    ]


def _formats(typed: Sequence[Sequence[TypedPart]]) -> list[Any]:
    return [part.formats for group in typed for part in group]


def _store_all(
    planned: Sequence[PlannedSource],
    parts: Sequence[Sequence[SourcePart]],
    typed: Sequence[Sequence[TypedPart]],
    workspace: Workspace,
) -> _Stored:
    # A column that is null throughout is not stored: it is in the view only.
    used = frozenset[str]().union(*(part.fields for group in typed for part in group))
    fields = [field for field in RAW_SCHEMA if field in used]
    table = workspace.store("purchase_lines", typed[0][0].lines(fields))
    rows, files = 0, []
    for source, group in zip(planned, typed, strict=True):
        for part in group:
            if part is not typed[0][0]:
                workspace.append(table.get_name(), part.lines(fields))
        before, rows = rows, _count(table)
        check_unchanged(source.opened.name, [part.part for part in group], rows - before)
        files.append(_source_file(source.opened, group, rows - before))
    columns = {field: table[field] if field in used else ibis.null(kind) for field, kind in RAW_SCHEMA.items()}
    numbered = table.select(line=table.rowid(), **columns)
    view = workspace.backend.create_view(workspace.name("numbered_lines"), numbered)
    ids = [view[field] for field in ("customer", "invoice", "product") if field in used]
    figures = view.aggregate(
        unreadable=view.unreadable.count(),
        has_time=(view["at"] != view["at"].truncate("D")).any().fill_null(False),
        # To look for the signs is many times cheaper than the patterns of rounded ids.
        perhaps_rounded=ibis.or_(*(one.contains("+") | one.endswith(".0") for one in ids)).any().fill_null(False),
    )
    (seen,) = figures.to_pyarrow().to_pylist()
    unreadable = _unreadable(view, seen["unreadable"])
    return _Stored(typed, view, files, unreadable, seen["has_time"], seen["perhaps_rounded"])


def _source_file(opened: Opened, typed: Sequence[TypedPart], rows: int) -> SourceFile:
    return SourceFile(
        name=opened.name,
        sha256=opened.sha256,
        bytes=opened.bytes,
        rows=rows,
        left_out=sum(part.part.left_out for part in typed),
    )


def _check_same_fields(parts: Sequence[SourcePart]) -> None:
    first = parts[0]
    for part in parts[1:]:
        if odd := sorted(first.columns.keys() ^ part.columns.keys()):
            here, there = (part, first) if odd[0] in part.columns else (first, part)
            raise UnreadableSource(
                f"{here.where} has a column for {odd[0]} ('{here.columns[odd[0]]}') and {there.where} has none. "
                f"What is read together has the same fields; rename columns, or name them with --column."
            )


def _refuse_rounded(table: Any, columns: Mapping[str, str], where: str) -> None:
    """Raise UnreadableSource for ids such as 6.21E+12: a spreadsheet rounded them, and different ones look alike."""
    fields = [field for field in ("customer", "invoice", "product") if field in columns]
    rounded = {field: row[field].re_search(f"{ROUNDED_ID}|{ROUNDED_FLOAT}") for field in fields}
    counted = table.aggregate(
        **{field: test.sum() for field, test in rounded.items()},
        **{f"{field}_line": row.line.min(where=test) for field, test in rounded.items()},
        **{f"{field}_value": row[field].min(where=test) for field, test in rounded.items()},
    )
    found = counted.to_pyarrow().to_pylist()[0]
    for field in fields:
        if found[field]:
            raise UnreadableSource(
                f"{where}: column '{columns[field]}' has {found[field]:,} values such as '{found[f'{field}_value']}' "
                f"in row "
                f"{found[f'{field}_line'] + 1}: a spreadsheet rounded them, so that different ones look alike. Export "
                f"the "
                "file again and do not save it from a spreadsheet, or format the column as text before saving."
            )


def _one_currency(
    table: Any, meanings: dict[str, StatusMeaning], part: SourcePart, options: ReadOptions
) -> tuple[Any, dict[str, StatusMeaning], str | None]:
    """The lines in one currency. Raises UnreadableSource if there are several and nothing says what to do."""
    purchases = [key for key, meaning in meanings.items() if meaning != "no_purchase"]
    counts = row.customer.notnull()
    if meanings:
        counts &= row.status.isnull() | row.status.isin(purchases)
    known = table.filter(counts & row.currency.notnull()).mutate(currency=row.currency.upper())
    grouped = known.group_by("currency").agg(rows=row.count(), value=(row.quantity * row.price).sum())
    found = grouped.order_by(ibis.desc("rows"), "currency").to_pyarrow().to_pylist()
    codes = [one["currency"] for one in found]
    wanted = options.currency.upper() if options.currency else None
    if wanted is not None and wanted not in codes:
        raise UnreadableSource(f"--currency {options.currency}: {part.where} has {listed(codes)} only.")
    if options.rates is not None:
        rates = _rates(options.rates)
        if missing := [code for code in codes if code not in rates]:
            raise UnreadableSource(f"--rates {options.rates} has no rate for {listed(missing)}; add it.")
        target = next((code for code, rate in rates.items() if rate == 1.0), None)
        return convert(table, rates), meanings, target
    if len(codes) > 1 and wanted is None:
        sums = "; ".join(f"{one['currency']}: {one['rows']:,} rows, {one['value'] or 0:,.2f}" for one in found)
        raise UnreadableSource(
            f"{part.where}: column '{part.columns['currency']}' has {len(codes)} currencies ({sums}), which cannot be "
            f"added "
            f"up. Say --currency {codes[0]} to read that one alone, or --rates FILE to convert (CSV: currency,rate, "
            f"with "
            "rate 1 for the currency that is wanted)."
        )
    if len(codes) > 1:
        others = [code for code in codes if code != wanted]
        meanings |= {currency_status(code): "no_purchase" for code in others}
        meanings |= {key: "purchase" for key in purchases if key not in meanings}
        return take_currency(table, wanted or codes[0]), meanings, wanted
    return table, meanings, codes[0] if codes else None


def _rates(path: Path) -> dict[str, float]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"currency", "rate"} <= set(rows.fieldnames or ()):
                raise KeyError
            return {one["currency"].strip().upper(): float(one["rate"]) for one in rows}
    except OSError as error:
        raise UnreadableSource(f"--rates {path}: the file cannot be read: {error.strerror}.") from None
    except (KeyError, ValueError, AttributeError, TypeError):
        raise UnreadableSource(
            f"--rates {path}: a table of rates is CSV with the columns currency and rate, such as EUR,1 and USD,0.92."
        ) from None


def _number_formats(typed: Sequence[TypedPart]) -> dict[str, str]:
    """How the numbers of each column are written, by an example; for columns in which that had to be decided."""
    return {
        part.part.columns[field]: one.example
        for part in typed
        for field, one in part.numbers.items()
        if field in part.part.columns and one.says
    }


def _count(table: Any) -> int:
    return int(table.count().to_pyarrow().as_py())


def _rows(files: Sequence[SourceFile]) -> int:
    if rows := sum(file.rows for file in files):
        return rows
    raise UnreadableSource(f"{', '.join(file.name for file in files)}: there are columns but no rows.")


def _absences(columns: Mapping[str, str], order_by: OrderBy, plan: ImportPlan) -> list[str]:
    notes = [note for field, note in ABSENT.items() if field not in columns]
    if order_by != "invoice":
        notes.append(BY_MOMENT if order_by == "moment" else BY_DAY)
    if plan.money == "line_total" and "quantity" in columns:
        notes.append(LINE_TOTAL.format(columns["amount"]))
    return notes


def _unreadable(numbered: Any, count: int) -> list[str]:
    if not count:
        return []
    bad = numbered.filter(numbered.unreadable.notnull()).order_by("line").select("line", "unreadable")
    (first,) = bad.limit(1).to_pyarrow().to_pylist()
    return [
        f"Rows holding a value that cannot be read: {count}; the first is row {first['line'] + 1}: "
        f"{first['unreadable']}."
    ]
