"""Whether what cleaning left can be a shop's purchases: checks with limits, which are data in `plausibility.json`."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
from ibis import Table
from ibis import _ as row
from pydantic import Field

from models.evidence import CheckResult, CleaningReport, Record
from models.wording import number, per_cent
from training.cleaning import Cleaned
from training.reading.lines import Lines
from training.summaries import CustomerSummaries

CHOSEN_BY_MOMENT = "after_as_of"  # the analyst chose the moment, so what lies after it is not lost
FAR_OUT_LINES = 3  # or customers; what more of them have, or more than this share of all, is no slip
FAR_OUT_SHARE = 0.001
LARGEST_VALUES = 50
LARGE_ORDER = 3  # lines: that one of two is worth as much as the other is no wonder
HALF_A_CENT = 0.005
ACCEPT = "If it is right all the same, accept it with --accept {name}."
Warn = Callable[[CheckResult], None]


class Threshold(Record):
    """A limit, and how many lines or customers there must at least be for it to mean anything."""

    limit: float
    fewest: int


class Check(Threshold):
    """A check as `plausibility.json` has it: what was seen, why it matters, what to do.

    `by_rule` are the thresholds of cleaning rules that differ from the others', `together` is that of all other rules
    together.
    """

    by_rule: dict[str, Threshold] = Field(default_factory=dict)
    together: Threshold | None = None
    seen: str
    why: str
    advice: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What a check measured. `value` is None where there is nothing to measure: such a check is passed."""

    value: float | None
    passed: bool
    words: Mapping[str, str] = field(default_factory=dict)
    limit: float | None = None  # of the rule that `value` is of, where rules have limits of their own


@dataclass(frozen=True, slots=True)
class _Figures:
    """The figures that checks are about, each looked up once."""

    report: CleaningReport
    left_out: int
    orders: np.ndarray[tuple[int], np.dtype[np.float64]]
    revenue: np.ndarray[tuple[int], np.dtype[np.float64]]
    last_at: np.ndarray[tuple[int], np.dtype[np.float64]]
    lost: Mapping[tuple[str, ...], int]
    largest: Mapping[str, float]
    days: int
    large_orders: int  # of at least LARGE_ORDER lines
    doubled: int  # of these, the ones in which one line is worth as much as all others together
    quantities: Sequence[tuple[float, int]]
    prices: Sequence[tuple[float, int]]

    @property
    def rows(self) -> int:
        return self.report.rows - sum(rule.removed for rule in self.report.rules if rule.rule == CHOSEN_BY_MOMENT)

    @property
    def customers(self) -> int:
        return self.report.purchase_customers + sum(self.lost.values())


@cache
def checks() -> Mapping[str, Check]:
    """The checks by name, in the order they are asked."""
    text = files("training.preparation").joinpath("plausibility.json").read_text("utf-8")
    return {name: Check.model_validate(check) for name, check in json.loads(text).items()}


def run_checks(
    report: CleaningReport, cleaned: Cleaned, summaries: CustomerSummaries, lines: Lines,
    accepted: Collection[str] = (),
) -> tuple[CheckResult, ...]:  # fmt: skip
    """The result of every check; a failed one whose name is among `accepted` says so."""
    figures = _figures(report, cleaned, summaries, lines)
    return tuple(
        _result(name, check, MEASURES[name](figures, check), name in accepted) for name, check in checks().items()
    )


def warn_of_failed(results: Sequence[CheckResult], warn: Warn) -> None:
    """Pass every failed check to `warn`."""
    for result in results:
        if not result.passed:
            warn(result)


def _result(name: str, check: Check, measured: Measured, accepted: bool) -> CheckResult:
    seen = check.seen.format(**measured.words)
    if measured.passed:
        message = seen
    elif accepted:
        message = f"{seen} {check.why}"
    else:
        message = f"{seen} {check.why} {check.advice} {ACCEPT.format(name=name)}"
    return CheckResult(
        name=name,
        passed=measured.passed,
        value=None if measured.value is None else round(measured.value, 6),
        limit=check.limit if measured.limit is None else measured.limit,
        message=message,
        accepted=accepted and not measured.passed,
    )


def _figures(report: CleaningReport, cleaned: Cleaned, summaries: CustomerSummaries, lines: Lines) -> _Figures:
    kept = cleaned.purchases.filter(~row.undone)
    value = row.quantity * row.price
    largest = _first_row(
        kept.agg(
            lines=row.count(), revenue=value.sum(), value=value.max(), quantity=row.quantity.argmax(value),
            price=row.price.argmax(value), first=row["at"].min(), last=row["at"].max(),
        )
    )  # fmt: skip
    by_order = kept.group_by(["customer", "order"]).agg(lines=row.count(), all=value.sum(), largest=value.max())
    doubled = (2 * row.largest - row["all"]).abs() <= HALF_A_CENT
    orders = _first_row(by_order.filter(row.lines >= LARGE_ORDER).agg(orders=row.count(), doubled=doubled.sum()))
    return _Figures(
        report=report,
        left_out=sum(file.left_out for file in lines.fingerprint),
        orders=summaries.summaries.orders,
        revenue=summaries.summaries.revenue,
        last_at=summaries.summaries.last_at,
        lost=_lost_customers(report, cleaned, lines),
        largest=largest,
        days=_days(largest["first"], largest["last"]),
        large_orders=orders["orders"],
        doubled=orders["doubled"] or 0,
        quantities=_largest_values(kept, "quantity"),
        prices=_largest_values(kept, "price"),
    )


def _lost_customers(report: CleaningReport, cleaned: Cleaned, lines: Lines) -> dict[tuple[str, ...], int]:
    """How many customers have no purchase line, by the rules that took their lines.

    Without the rules where they are too few for any limit: to look the rules up takes as long as all else here.
    """
    customers = int(lines.table["customer"].nunique().to_pyarrow().as_py())
    lost = customers - report.purchase_customers
    if _share(lost, customers) is None or lost <= _least_limit(checks()["customers_lost"]) * customers:
        return {(): lost}
    taken = cleaned.lost.filter(row.rule != CHOSEN_BY_MOMENT).distinct()
    of_each = taken.group_by("customer").agg(rules=row.rule.collect(order_by=row.rule))
    counted = of_each.group_by("rules").agg(customers=row.count()).to_pyarrow().to_pylist()
    return {tuple(group["rules"]): group["customers"] for group in counted}


def _least_limit(check: Check) -> float:
    return min(threshold.limit for threshold in (check, *check.by_rule.values()))


def _first_row(table: Table) -> dict[str, Any]:
    found: dict[str, Any] = table.to_pyarrow().to_pylist()[0]
    return found


def _days(first: float | None, last: float | None) -> int:
    """How many days in UTC the purchases span, the first and the last among them."""
    return 0 if first is None or last is None else int(last // 86_400 - first // 86_400) + 1


def _largest_values(kept: Table, column: str) -> list[tuple[float, int]]:
    """The largest different values, each with the number of its lines, the largest first."""
    counted = kept.group_by(column).agg(lines=row.count())
    found = counted.order_by(counted[column].desc()).limit(LARGEST_VALUES).to_pyarrow()
    return list(zip(found[column].to_pylist(), found["lines"].to_pylist(), strict=True))


def _unreadable_rows(figures: _Figures, check: Check) -> Measured:
    removed = {rule.rule: rule.removed for rule in figures.report.rules}
    count = removed.get("unreadable", 0) + figures.left_out
    rows = figures.rows + figures.left_out
    share = _share(count, rows)
    words = {"count": f"{count:,}", "rows": f"{rows:,}", "share": _percent(share)}
    return Measured(share, _within(share, count, check), words)


def _lines_lost(figures: _Figures, check: Check) -> Measured:
    taken = {rule.rule: rule.removed for rule in figures.report.rules if rule.rule != CHOSEN_BY_MOMENT}
    return _lost(taken, figures.rows, check, "takes", {"rows": f"{figures.rows:,}"})


def _customers_lost(figures: _Figures, check: Check) -> Measured:
    words = {"customers": f"{figures.customers:,}"}
    taken: Counter[str] = Counter()
    for rules, customers in figures.lost.items():
        taken.update(dict.fromkeys(rules, customers))
    if taken:
        of_one_rule = _lost(taken, figures.customers, check, "takes every purchase of", words)
        if not of_one_rule.passed:
            return of_one_rule
    lost = sum(customers for rules, customers in figures.lost.items() if not set(rules) & set(check.by_rule))
    share = _share(lost, figures.customers)
    words |= {"takes": f"all rules together take every purchase of {lost:,} ({_percent(share)})"}
    together = check.together or check
    return Measured(share, _within(share, lost, together), words, together.limit)


def _lost(taken: Mapping[str, int], of_all: int, check: Check, takes: str, words: Mapping[str, str]) -> Measured:
    """The rules beyond their limits, or the one that takes most."""

    def threshold(rule: str) -> Threshold:
        return check.by_rule.get(rule, check)

    def excess(rule: str) -> float:
        return (_share(taken[rule], of_all) or 0.0) / threshold(rule).limit

    beyond = [rule for rule in taken if not _within(_share(taken[rule], of_all), taken[rule], threshold(rule))]
    shown = sorted(beyond or [max(taken, key=excess)], key=lambda rule: -excess(rule))
    parts = [f"the rule {rule} {takes} {taken[rule]:,} ({_percent(_share(taken[rule], of_all))})" for rule in shown]
    value = _share(taken[shown[0]], of_all)
    return Measured(value, not beyond, {**words, "takes": " and ".join(parts)}, threshold(shown[0]).limit)


def _nobody_left(figures: _Figures, check: Check) -> Measured:
    customers = len(figures.orders)
    return Measured(customers, customers >= check.limit, {"customers": f"{customers:,}"})


def _negative_revenue(figures: _Figures, check: Check) -> Measured:
    bought, returned = figures.report.purchase_revenue, figures.report.returned_value
    # nothing bought and nothing returned is for another check
    passed = bought - returned > check.limit or bought == returned == 0
    words = {"bought": f"{bought:,.2f}", "returned": f"{returned:,.2f}", "net": f"{bought - returned:,.2f}"}
    return Measured(round(bought - returned, 2), passed, words)


def _one_day(figures: _Figures, check: Check) -> Measured:
    passed = figures.days >= check.limit or figures.largest["lines"] < check.fewest
    return Measured(figures.days, passed, {"days": f"{figures.days:,}"})


def _last_day_far_out(figures: _Figures, check: Check) -> Measured:
    customers = len(figures.last_at)
    few = min(_few(customers), customers - 1)
    if few < 1:
        return Measured(None, True, {"count": "0", "days": "0"})
    latest = np.sort(figures.last_at)[::-1][: few + 1]
    gaps = -np.diff(latest) / 86_400
    widest = int(np.argmax(gaps))
    days = float(gaps[widest])
    passed = days <= check.limit or customers < check.fewest
    return Measured(days, passed, {"count": f"{widest + 1:,}", "days": f"{days:,.0f}"})


def _no_repeat_orders(figures: _Figures, check: Check) -> Measured:
    customers, again = len(figures.orders), int(np.count_nonzero(figures.orders > 1))
    share = _share(again, customers)
    passed = share is None or share >= check.limit or customers < check.fewest
    return Measured(share, passed, {"count": f"{again:,}", "customers": f"{customers:,}"})


def _one_customer_most_orders(figures: _Figures, check: Check) -> Measured:
    return _largest_customer(figures.orders, check)


def _one_customer_most_revenue(figures: _Figures, check: Check) -> Measured:
    return _largest_customer(figures.revenue, check)


def _largest_customer(values: np.ndarray[tuple[int], np.dtype[np.float64]], check: Check) -> Measured:
    share = _share(float(values.max()), float(values.sum())) if len(values) else None
    passed = _within(share, len(values), check)
    return Measured(share, passed, {"customers": f"{len(values):,}", "share": _percent(share)})


def _counted_twice(figures: _Figures, check: Check) -> Measured:
    share = _share(figures.doubled, figures.large_orders)
    words = {"count": f"{figures.doubled:,}", "orders": f"{figures.large_orders:,}", "lines": str(LARGE_ORDER)}
    return Measured(share, _within(share, figures.doubled, check), words)


def _one_line_most_revenue(figures: _Figures, check: Check) -> Measured:
    line = figures.largest
    lines = int(line["lines"])
    share = _share(line["value"] or 0.0, line["revenue"] or 0.0)
    words = {
        "lines": f"{lines:,}",
        "share": _percent(share),
        "quantity": number(line["quantity"] or 0.0),
        "price": number(line["price"] or 0.0),
    }
    return Measured(share, _within(share, lines, check), words)


def _quantity_far_out(figures: _Figures, check: Check) -> Measured:
    return _far_out(figures.quantities, int(figures.largest["lines"]), check)


def _price_far_out(figures: _Figures, check: Check) -> Measured:
    return _far_out(figures.prices, int(figures.largest["lines"]), check)


def _far_out(values: Sequence[tuple[float, int]], lines: int, check: Check) -> Measured:
    """How many times the next value the largest few are, where the step between them is widest."""
    beyond, widest = 0, (0.0, 0, 0.0, 0.0)
    for (larger, count), (smaller, _) in pairwise(values):
        beyond += count
        if beyond > _few(lines):
            break
        widest = max(widest, (larger / smaller, beyond, larger, smaller))
    times, count, least, following = widest
    words = {"count": f"{count:,}", "lines": f"{lines:,}", "least": number(least), "next": number(following)}
    return Measured(times if count else None, _within(times, lines, check), words)


def _few(of_all: int) -> int:
    return max(FAR_OUT_LINES, int(FAR_OUT_SHARE * of_all))


def _share(part: float, whole: float) -> float | None:
    """None where the whole is not positive: a share of it says nothing."""
    return part / whole if whole > 0 else None


def _within(value: float | None, count: int, threshold: Threshold) -> bool:
    return value is None or value <= threshold.limit or count < threshold.fewest


def _percent(share: float | None) -> str:
    return "no share" if share is None else per_cent(share)


MEASURES: Mapping[str, Callable[[_Figures, Check], Measured]] = {
    "unreadable_rows": _unreadable_rows,
    "lines_lost": _lines_lost,
    "customers_lost": _customers_lost,
    "nobody_left": _nobody_left,
    "negative_revenue": _negative_revenue,
    "one_day": _one_day,
    "last_day_far_out": _last_day_far_out,
    "no_repeat_orders": _no_repeat_orders,
    "one_customer_most_orders": _one_customer_most_orders,
    "one_customer_most_revenue": _one_customer_most_revenue,
    "counted_twice": _counted_twice,
    "one_line_most_revenue": _one_line_most_revenue,
    "quantity_far_out": _quantity_far_out,
    "price_far_out": _price_far_out,
}
