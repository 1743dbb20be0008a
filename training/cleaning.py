"""The cleaning rules of `models.cleaning`, said once more as an Ibis expression, for lines of any number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
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

    Both tables have line, customer, invoice, product, quantity, at (seconds UTC), price and country; `purchases`
    also has `undone`, true where a full cancellation undid the line. They are stored in the workspace. `lost` has
    customer and rule, the first that holds, of each line of the customers who have no purchase line.
    """

    purchases: Table
    returns: Table
    rules: tuple[RuleCount, ...]
    lost: Table

    def until(self, moment: datetime, workspace: Workspace) -> "Cleaned":
        """The same lines as they were known at an earlier moment: what came later undoes nothing yet.

        Equal to cleaning at that moment (what is a duplicate no later line changes), for a fraction of the work. The
        rules' counts stay those of all lines.
        """
        at = moment.timestamp()
        purchases = self.purchases.drop("undone").filter(row["at"] <= at)
        return _sorted_out(purchases, self.returns.filter(row["at"] <= at), self.rules, self.lost, workspace)


def clean(lines: Lines, as_of: datetime, workspace: Workspace) -> Cleaned:
    """Ask every rule of every line. `as_of` must carry a time zone; later lines are left out."""
    backend = workspace.backend
    duplicates = backend.create_table(workspace.name("duplicates"), _duplicates(lines), temp=True)
    codes = _non_product_codes(lines.table)
    asked = _ask(lines.table, duplicates, codes, as_of)
    kept = backend.create_table(workspace.name("kept"), _kept(asked), temp=True)
    counts = _count(asked, lines.table)
    purchases = kept.filter(~row.is_return)
    # asked of few lines once more: to keep every line with its rule would cost as much as cleaning
    without_purchase = lines.table.filter(row.customer.notnull()).anti_join(purchases, "customer")
    lost = _with_rule(_ask(without_purchase, duplicates, codes, as_of))
    return _sorted_out(purchases, kept.filter(row.is_return), counts, lost, workspace)


def _sorted_out(
    purchases: Table, returns: Table, rules: tuple[RuleCount, ...], lost: Table, workspace: Workspace
) -> Cleaned:
    name = workspace.name("undone")
    undone = workspace.backend.create_table(name, _undone(purchases, returns), temp=True)
    marked = purchases.left_join(undone, "line").drop("line_right").mutate(undone=row.undone.fill_null(False))
    return Cleaned(marked, returns, rules, lost)


def _with_rule(asked: Table) -> Table:
    """Customer and rule of each line; the rule is the first that holds."""
    return asked.select("customer", rule=ibis.cases(*[(asked[_flag(rule.name)], rule.name) for rule in RULES]))


def _duplicates(lines: Lines) -> Table:
    """The line numbers of all but the first of equal lines.

    A hash of some fields finds the few lines that may be equal, cheaply; all fields themselves then decide.
    """
    table = lines.table
    if not {"invoice", "product"} <= lines.present:
        return table.filter(ibis.literal(False)).select("line")
    told = table.filter(row.invoice.notnull() & row["product"].notnull())
    hashed = told.select(
        "line", key=ibis.struct({name: told[name] for name in ("invoice", "product", "quantity")}).hash()
    )
    shared = hashed.group_by("key").having(row.count() > 1).agg(least=row.line.min())
    suspects = told.semi_join(hashed.semi_join(shared, "key"), "line")
    order = ibis.row_number().over(group_by=list(SAME), order_by="line")
    return suspects.mutate(order=order).filter(row.order > 0).select("line")


def _non_product_codes(table: Table) -> list[str]:
    """The codes in the data that stand for no product: few, and asked one by one of the one list there is."""
    codes = table.select("product").filter(row["product"].notnull()).distinct().to_pyarrow()["product"].to_pylist()
    return sorted(code for code in codes if code in non_products())


def _ask(table: Table, duplicates: Table, other: Sequence[str], as_of: datetime) -> Table:
    """Add one column per rule, whether it holds for the line, whatever other rules say."""
    moment = as_of.astimezone(UTC).replace(tzinfo=None)
    table = table.left_join(duplicates.mutate(repeated=ibis.literal(True)), "line").drop("line_right")
    holds: dict[str, Any] = {
        "unreadable": row.unreadable.notnull() | row.quantity.isnull() | row.price.isnull() | row["at"].isnull(),
        "no_customer": row.customer.isnull(),
        "after_as_of": row["at"] > ibis.timestamp(moment.isoformat(sep=" ")),
        "cancellation": row.invoice.startswith("C") | row.invoice.startswith("c"),
        "adjustment": row.invoice.startswith("A") | row.invoice.startswith("a"),
        "quantity_not_positive": row.quantity <= 0,
        "price_not_positive": row.price <= 0,
        "duplicate": row.repeated.notnull(),
        "non_product": row["product"].isin(list(other)) if other else ibis.literal(False),
    }
    return table.mutate(**{_flag(name): test.fill_null(False) for name, test in holds.items()})


def _kept(asked: Table) -> Table:
    """Purchases, for which no rule holds, and returns that no rule but those for returns takes out."""
    goes = [asked[_flag(rule.name)] for rule in RULES if not rule.returns]
    comes_back = [asked[_flag(rule.name)] for rule in RULES if rule.returns]
    kept = asked.filter(~reduce(or_, goes)).mutate(is_return=reduce(or_, comes_back))
    return kept.select(
        "line", "customer", "invoice", "product", "quantity", "price", "country", "is_return",
        at=row["at"].epoch_seconds().cast("float64") + (row["at"].microsecond().cast("float64") / 1e6),
    )  # fmt: skip


def _undone(purchases: Table, returns: Table) -> Table:
    """The purchases that a full cancellation undid: `models.fold.without_cancelled` as running sums.

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


def _count(asked: Table, lines: Table) -> tuple[RuleCount, ...]:
    """What each rule did, from the few combinations of rules that occur and how many lines have each."""
    names = [rule.name for rule in RULES]
    flags = [_flag(name) for name in names]
    grouped = asked.group_by(flags).agg(lines=row.count(), first=row.line.min(), last=row.line.max())
    combinations = grouped.to_pyarrow().to_pylist()
    taken = {name: [one for one in combinations if _first(one, names) == name] for name in names}
    chosen = {name: sorted({one[end] for one in taken[name] for end in ("first", "last")})[:EXAMPLES] for name in names}
    shown = _shown(lines, [line for found in chosen.values() for line in found])
    remaining = sum(one["lines"] for one in combinations)
    counts = []
    for rule in RULES:
        removed = sum(one["lines"] for one in taken[rule.name])
        remaining -= removed
        counts.append(
            RuleCount(
                rule=rule.name,
                reason=rule.reason,
                matched=sum(one["lines"] for one in combinations if one[_flag(rule.name)]),
                removed=removed,
                remaining=remaining,
                examples=tuple(shown[line] for line in chosen[rule.name]),
            )
        )
    return tuple(counts)


def _first(combination: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The rule that takes a line out: the first that holds."""
    return next((name for name in names if combination[_flag(name)]), None)


def _shown(lines: Table, numbers: Sequence[int]) -> dict[int, str]:
    """Lines in words, without the customer: a report is read by more people than the data."""
    if not numbers:
        return {}
    found = lines.filter(row.line.isin(list(numbers))).drop("customer", "description", "country")
    return {one["line"]: f"row {one['line'] + 1}: {_words(one)}" for one in found.to_pyarrow().to_pylist()}


def _words(line: Mapping[str, Any]) -> str:
    amounts = f"{_figure(line['quantity'])} at {_figure(line['price'])}"
    return line["unreadable"] or f"invoice {line['invoice']}, product {line['product']}, {amounts}"


def _figure(value: float | None) -> str:
    return "nothing" if value is None else f"{value:g}"


def _flag(rule: str) -> str:
    return f"{rule}_"
