"""The cleaning rules of `models.cleaning`, said once more as an Ibis expression, for lines of any number."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any

import ibis
from ibis import Table
from ibis import _ as row

from models.cleaning import NEGATIVE_VALUE, RULES
from models.customer.conventions import Conventions
from models.evidence import RuleCount
from training.reading.lines import Lines
from training.workspace import Workspace

SAME = ("customer", "invoice", "product", "description", "quantity", "at", "price", "country", "status", "rest")
PAIRED = ("customer", "product", "worth", "size")
EXAMPLES = 3
LONGEST_EXAMPLE = 60


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Lines sorted into purchases and returns, and what each rule did.

    Both tables have line, customer, order, product, quantity, at (seconds UTC), price, country and value: what was
    paid, or what came back. `order` is the invoice, or the moment where a line has no invoice; two customers may have
    the same. `purchases` also has `undone`, true where a full cancellation undid the line. `kept` are all these lines
    before either was known. `lost` has customer and rule, the first that holds, of each line of the customers who have
    no purchase line. The tables are stored in the workspace.
    """

    purchases: Table
    returns: Table
    rules: tuple[RuleCount, ...]
    kept: Table
    lost: Table
    discounts: bool

    def until(self, moment: datetime, workspace: Workspace) -> "Cleaned":
        """The same lines as they were known at an earlier moment: what came later undoes nothing yet.

        Equal to cleaning at that moment (what is a duplicate no later line changes), for a fraction of the work. The
        rules' counts stay those of all lines.
        """
        return _sorted_out(
            self.kept.filter(row["at"] <= moment.timestamp()), self.rules, self.lost, self.discounts, workspace
        )


def clean(lines: Lines, conventions: Conventions, as_of: datetime, workspace: Workspace) -> Cleaned:
    """Ask every rule of every line. `as_of` must carry a time zone; later lines are left out."""
    asked = _ask(lines, conventions, as_of, workspace)
    discount_codes = _spellings(lines, "product", conventions.is_discount) if conventions.discount_codes else []
    kept = workspace.store("kept", _kept(asked, discount_codes), temp=True)
    counts = _count(asked, lines.table)
    # Asked of few lines once more: to keep every line with its rule would cost as much as cleaning.
    purchases = kept.filter(~row.is_return)
    without_purchase = asked.filter(row.customer.notnull()).anti_join(purchases, "customer")
    return _sorted_out(kept, counts, _with_rule(without_purchase), bool(discount_codes), workspace)


def _sorted_out(
    kept: Table, rules: tuple[RuleCount, ...], lost: Table, discounts: bool, workspace: Workspace
) -> Cleaned:
    purchases = kept.filter(~row.is_return).drop("is_return", "is_discount")
    returns = kept.filter(row.is_return & ~row.is_discount).drop("is_return", "is_discount")
    undone = workspace.store("undone", _undone(purchases, returns), temp=True)
    marked = purchases.left_join(undone, "line").drop("line_right").mutate(undone=row.undone.fill_null(False))
    if discounts:
        off = kept.filter(row.is_discount).drop("is_return", "is_discount")
        orders = purchases.group_by(["customer", "order"]).agg(worth=row.value.sum())
        lowered = off.group_by(["customer", "order"]).agg(off=row.value.sum()).inner_join(orders, ["customer", "order"])
        left = lowered.select("customer", "order", left=ibis.greatest(1 - row.off / row.worth, 0.0))
        marked = marked.left_join(left, ["customer", "order"]).drop("customer_right", "order_right")
        diminished = ibis.ifelse(row.undone, row.value, row.value * row.left.fill_null(1.0))
        marked = marked.mutate(value=diminished).drop("left")
        returns = returns.union(off.anti_join(orders, ["customer", "order"]))
    return Cleaned(marked, returns, rules, kept, lost, discounts)


def _with_rule(asked: Table) -> Table:
    """Customer and rule of each line; the rule is the first that holds."""
    return asked.select("customer", rule=ibis.cases(*[(asked[_flag(rule.name)], rule.name) for rule in RULES]))


def _duplicates(lines: Lines) -> Table:
    """The line numbers of all but the first of equal lines.

    A hash of some fields finds the few lines that may be equal, cheaply; all fields themselves then decide.
    """
    table = lines.table
    told = table.filter(row.invoice.notnull() & row["product"].notnull())
    hashed = told.select(
        "line", key=ibis.struct({name: told[name] for name in ("invoice", "product", "quantity")}).hash()
    )
    shared = hashed.group_by("key").having(row.count() > 1).agg(least=row.line.min())
    suspects = told.semi_join(hashed.semi_join(shared, "key"), "line")
    order = ibis.row_number().over(group_by=list(SAME), order_by="line")
    return suspects.mutate(order=order).filter(row.order > 0).select("line")


def _spellings(lines: Lines, field: str, holds: Callable[[str], object]) -> list[str]:
    """The values in a column of few different ones of which something holds: each is asked once."""
    if field not in lines.present:
        return []
    column = lines.table[field]
    values = lines.table.filter(column.notnull()).select(field).distinct().to_pyarrow()[field].to_pylist()
    return sorted(value for value in values if holds(value))


def _ask(lines: Lines, conventions: Conventions, as_of: datetime, workspace: Workspace) -> Table:
    """Add one column per rule, whether it holds for the line, whatever other rules say."""
    table, repeated = lines.table, ibis.literal(False)
    if conventions.duplicates and {"invoice", "product"} <= lines.present:
        duplicates = workspace.store("duplicates", _duplicates(lines), temp=True)
        table = table.left_join(duplicates.mutate(repeated=ibis.literal(True)), "line").drop("line_right")
        repeated = table.repeated.notnull()
    meanings = {status: conventions.meaning(status) for status in _spellings(lines, "status", conventions.meaning)}
    placeholder = _is_placeholder(conventions.placeholders) if conventions.placeholders else False
    holds: dict[str, Any] = {
        "unreadable": row.unreadable.notnull() | row.quantity.isnull() | row.price.isnull() | row["at"].isnull(),
        "no_customer": row.customer.isnull() | placeholder,
        "implausible_date": False if conventions.earliest is None else row["at"] < _literal(conventions.earliest),
        "after_as_of": row["at"] > _literal(as_of.timestamp()),
        "status": _is_any("status", [one for one in meanings if meanings[one] == "no_purchase"]),
        "returned_status": _is_any("status", [one for one in meanings if meanings[one] == "return"]),
        "cancellation": _numbered(conventions.cancellation_prefixes),
        "adjustment": _numbered(conventions.adjustment_prefixes),
        "quantity_not_positive": row.quantity <= 0,
        "negative_price": row.price < 0,
        "price_not_positive": row.price == 0,
        "duplicate": repeated,
        "non_product": _is_any("product", _spellings(lines, "product", conventions.is_non_product)),
    }
    return table.mutate(**{_flag(name): _flagged(test) for name, test in holds.items()})


def _flagged(test: Any) -> Any:
    return ibis.literal(False) if test is False else test.fill_null(False)


def _literal(seconds: float) -> Any:
    return ibis.timestamp(datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(sep=" "))


def _is_any(field: str, values: Sequence[str]) -> Any:
    return row[field].isin(list(values)) if values else False


def _is_placeholder(placeholders: Sequence[str]) -> Any:
    """Whether the customer is one of the ids, in whatever case. Most ids are numbers, and are compared with few."""
    is_number = (row.customer >= "0") & (row.customer < ":")
    numbers = [one for one in placeholders if "0" <= one < ":"]
    is_any = reduce(or_, (row.customer == one for one in numbers), ibis.literal(False))
    return ibis.ifelse(
        is_number, is_any, row.customer.lower().isin([one for one in placeholders if one not in numbers])
    )


def _numbered(letters: Sequence[str]) -> Any:
    """Whether the invoice is one of the letters, in upper or lower case, before digits."""
    if not letters:
        return False
    begins = reduce(or_, (row.invoice.startswith(form) for one in letters for form in (one, one.lower())))
    return ibis.ifelse(begins, row.invoice.re_search("^.[0-9]+$"), False)


def _kept(asked: Table, discount_codes: Sequence[str]) -> Table:
    """Purchases, for which no rule holds, and returns that no rule but those for returns takes out.

    The discounts among these, negative lines of no cancellation, are left in though they are of no product.
    """
    comes_back = {rule.name: asked[_flag(rule.name)] for rule in RULES if rule.returns}
    is_return = reduce(or_, comes_back.values())
    goes = {rule.name: asked[_flag(rule.name)] for rule in RULES if not rule.returns} | {"nothing": asked.quantity == 0}
    is_discount: Any = ibis.literal(False)
    if discount_codes:
        told = reduce(or_, (test for name, test in comes_back.items() if name not in NEGATIVE_VALUE))
        is_discount = is_return & ~told & asked["product"].isin(list(discount_codes)).fill_null(False)
        goes["non_product"] &= ~is_discount
    kept = asked.mutate(is_return=is_return, is_discount=is_discount).filter(~reduce(or_, goes.values()))
    at = kept["at"].epoch_seconds().cast("float64") + (kept["at"].microsecond().cast("float64") / 1e6)
    # An invoice has no space at its beginning, so that none is taken for a moment. Not `fill_null`, which would write
    # every moment as text.
    order = ibis.ifelse(kept.invoice.isnull(), ibis.literal(" ") + at.cast("string"), kept.invoice)
    return kept.select(
        "line", "customer", "product", "quantity", "price", "country", "is_return", "is_discount",
        at=at, order=order, value=(row.quantity * row.price).abs(),
    )  # fmt: skip


def _undone(purchases: Table, returns: Table) -> Table:
    """The purchases that a full cancellation undid: `models.fold.without_cancelled` as running sums.

    Walking back in time over one customer's product at one price and quantity, a return opens and a purchase
    closes. With s the opened less the closed so far, a purchase met an open return exactly when s does not fall
    below its own lowest value before (zero to start with).
    """

    def events(table: Table, step: int) -> Table:
        return table.filter(row["product"].notnull()).select(
            "line", "customer", "product", "at", "order", worth=row.price.abs(),
            size=row.quantity.abs(), step=ibis.literal(step),
        )  # fmt: skip

    given_back = events(returns, 1)
    bought = events(purchases, -1).semi_join(given_back, list(PAIRED))
    both = bought.union(given_back)
    back = [both["at"].desc(), both.step.desc(), both.order.desc(), both.line.desc()]
    sofar = ibis.window(group_by=list(PAIRED), order_by=back, preceding=None, following=0)
    both = both.mutate(s=row.step.sum().over(sofar))
    back = [both["at"].desc(), both.step.desc(), both.order.desc(), both.line.desc()]
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
    found = lines.filter(row.line.isin(list(numbers))).drop("customer", "description", "country", "rest")
    return {one["line"]: f"row {one['line'] + 1}: {_words(one)}" for one in found.to_pyarrow().to_pylist()}


def _words(line: Mapping[str, Any]) -> str:
    if line["unreadable"]:
        return _harmless(line["unreadable"])
    named = [f"{name} {_harmless(line[name])}" for name in ("invoice", "product", "status") if line[name] is not None]
    when = [] if line["at"] is None else [f"{line['at']:%Y-%m-%d}"]
    return ", ".join([*when, *named, f"{_figure(line['quantity'])} at {_figure(line['price'])}"])


def _harmless(text: str) -> str:
    """The text, if it can hold no e-mail address: a customer's may stand in any column."""
    return "(left out: it may be an e-mail address)" if "@" in text else text[:LONGEST_EXAMPLE]


def _figure(value: float | None) -> str:
    return "nothing" if value is None else f"{value:g}"


def _flag(rule: str) -> str:
    return f"{rule}_"
