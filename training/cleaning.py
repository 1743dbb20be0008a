"""The cleaning rules of `models.cleaning`, said once more as an Ibis expression, for lines of any number."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import ibis
from ibis import Table
from ibis import _ as row

from models.cleaning import RULES, non_products
from models.evidence import RuleCount
from training.reading.lines import Lines
from training.workspace import Workspace

SAME = ("customer", "invoice", "product", "description", "quantity", "at", "price", "country")
PAIRED = ("customer", "product", "price", "size")
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Lines sorted into purchases and returns, and what each rule did.

    Both tables have line, customer, invoice, product, description, quantity, at (seconds UTC), price and country;
    `purchases` also has `undone`, true where a full cancellation undid the line. Both are stored in the workspace.
    """

    purchases: Table
    returns: Table
    rules: tuple[RuleCount, ...]


def clean(lines: Lines, as_of: datetime, workspace: Workspace) -> Cleaned:
    """Ask every rule of every line. `as_of` must carry a time zone; later lines are left out."""
    backend = workspace.backend
    duplicates = backend.create_table("duplicates", _duplicates(lines), temp=True)
    asked = _ask(lines.table, duplicates, as_of)
    kept = backend.create_table("kept", _kept(asked), temp=True)
    purchases, returns = kept.filter(~row.is_return), kept.filter(row.is_return)
    undone = backend.create_table("undone", _undone(purchases, returns), temp=True)
    marked = purchases.left_join(undone, "line").drop("line_right").mutate(undone=row.undone.fill_null(False))
    return Cleaned(marked, returns, _count(asked))


def _duplicates(lines: Lines) -> Table:
    """The line numbers of all but the first of equal lines.

    A 64-bit hash finds the few lines that may be equal, cheaply; the fields themselves then decide.
    """
    table = lines.table
    if not {"invoice", "product"} <= lines.present:
        return table.filter(ibis.literal(False)).select("line")
    told = table.filter(row.invoice.notnull() & row.product.notnull())
    hashed = told.select("line", key=ibis.struct({name: told[name] for name in SAME}).hash())
    shared = hashed.group_by("key").having(row.count() > 1).agg(least=row.line.min())
    suspects = told.semi_join(hashed.semi_join(shared, "key"), "line")
    order = ibis.row_number().over(group_by=list(SAME), order_by="line")
    return suspects.mutate(order=order).filter(row.order > 0).select("line")


def _ask(table: Table, duplicates: Table, as_of: datetime) -> Table:
    """Add `rule`, the first that holds (null for a purchase), and one column per rule: whether it holds at all."""
    moment = as_of.astimezone(UTC).replace(tzinfo=None)
    repeated = duplicates.mutate(repeated=ibis.literal(True))
    table = table.left_join(repeated, "line").drop("line_right")
    listed, code = non_products(), row.product.strip().upper()
    other = code.isin(list(listed.codes))
    for prefix in listed.prefixes:
        other = other | code.startswith(prefix)
    letter = row.invoice.strip().substr(0, 1).upper()
    holds: dict[str, Any] = {
        "unreadable": row.unreadable.notnull() | row.quantity.isnull() | row.price.isnull() | row["at"].isnull(),
        "no_customer": row.customer.isnull(),
        "after_as_of": row["at"] > ibis.timestamp(moment.isoformat(sep=" ")),
        "cancellation": letter == "C",
        "adjustment": letter == "A",
        "quantity_not_positive": row.quantity <= 0,
        "price_not_positive": row.price <= 0,
        "duplicate": row.repeated.notnull(),
        "non_product": other,
    }
    asked = table.mutate(**{_flag(name): test.fill_null(False) for name, test in holds.items()})
    first = ibis.cases(*[(asked[_flag(rule.name)], rule.name) for rule in RULES], else_=None)
    return asked.mutate(rule=first)


def _kept(asked: Table) -> Table:
    """Purchases, and those returns that no later rule takes out."""
    sound = ~(row.price_not_positive_ | row.duplicate_ | row.non_product_)
    is_return = row.rule.isin([rule.name for rule in RULES if rule.returns])
    kept = asked.mutate(is_return=is_return.fill_null(False))
    kept = kept.filter(row.rule.isnull() | (row.is_return & sound))
    return kept.select(
        "line", "customer", "invoice", "product", "description", "quantity", "price", "country", "is_return",
        at=row["at"].epoch_seconds().cast("float64") + (row["at"].microsecond().cast("float64") / 1e6),
    )  # fmt: skip


def _undone(purchases: Table, returns: Table) -> Table:
    """The purchases that a full cancellation undid: `models.summary.without_cancelled` as running sums.

    Walking back in time over one customer's product at one price and quantity, a return opens and a purchase
    closes. With s the opened less the closed so far, a purchase met an open return exactly when s does not fall
    below its own lowest value before (zero to start with).
    """

    def events(table: Table, step: int) -> Table:
        return table.select(
            "line", "customer", "at", "price", invoice=row.invoice.fill_null(""),
            product=row.product.fill_null(""), size=row.quantity.abs(), step=ibis.literal(step),
        )  # fmt: skip

    given_back = events(returns, 1)
    bought = events(purchases, -1).semi_join(given_back, list(PAIRED))
    both = bought.union(given_back)
    back = [both["at"].desc(), both.step.desc(), both.invoice.desc(), both.line.desc()]
    sofar = ibis.window(group_by=list(PAIRED), order_by=back, preceding=None, following=0)
    both = both.mutate(s=row.step.sum().over(sofar))
    back = [both["at"].desc(), both.step.desc(), both.invoice.desc(), both.line.desc()]
    before = ibis.window(group_by=list(PAIRED), order_by=back, preceding=(None, 1), following=None)
    both = both.mutate(lowest=ibis.least(row.s.min().over(before).fill_null(0), 0))
    met = both.filter((row.step == -1) & (row.s >= row.lowest))
    return met.select("line", undone=ibis.literal(True))


def _count(asked: Table) -> tuple[RuleCount, ...]:
    totals = asked.agg(
        rows=row.count(),
        **{f"{rule.name}_matched": asked[_flag(rule.name)].sum() for rule in RULES},
        **{f"{rule.name}_removed": (row.rule == rule.name).sum() for rule in RULES},
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    figures = {name: int(value or 0) for name, value in totals.items()}
    remaining = figures["rows"]
    counts = []
    for rule in RULES:
        removed = figures[f"{rule.name}_removed"]
        remaining -= removed
        examples = _examples(asked, rule.name) if removed else ()
        counts.append(
            RuleCount(
                rule=rule.name,
                reason=rule.reason,
                matched=figures[f"{rule.name}_matched"],
                removed=removed,
                remaining=remaining,
                examples=examples,
            )
        )
    return tuple(counts)


def _examples(asked: Table, rule: str) -> tuple[str, ...]:
    """The first lines a rule took, without the customer: a report is read by more people than the data."""
    first = asked.filter(row.rule == rule).order_by("line").limit(EXAMPLES)
    found = first.select("line", "invoice", "product", "quantity", "price", "unreadable").to_pyarrow().to_pylist()
    return tuple(
        f"row {one['line'] + 1}: "
        + (
            one["unreadable"]
            or f"invoice {one['invoice']}, product {one['product']}, {one['quantity']:g} at {one['price']:g}"
        )
        for one in found
    )


def _flag(rule: str) -> str:
    return f"{rule}_"
