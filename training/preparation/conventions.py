"""Decides a shop's conventions from its lines: each only where the data proves it, with the sentence that says how."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from ibis import _ as row

from models.customer.conventions import ADJUSTMENT_PREFIX, CANCELLATION_PREFIX, Conventions
from training.cleaning import SAME
from training.errors import UnreadableSource
from training.preparation.decision import Decision, counted
from training.preparation.invoice_letters import adjustment_letters, cancellation_letters
from training.preparation.placeholders import alike_but_for_case, customers_of, placeholders
from training.preparation.plausible_dates import plausible_dates
from training.preparation.product_codes import NonProducts, discount_codes, every_non_product, non_products
from training.reading.lines import Lines
from training.workspace import Workspace

# The decisions that `--rules NAME` and `--rules no-NAME` take instead of the data.
FORCIBLE = ("adjustment", "cancellation", "date", "discount", "duplicate", "non_product", "placeholder")
MOSTLY = 0.5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DecidedConventions:
    """The conventions, a sentence for each that the data proves, and midnight UTC after the last plausible day."""

    conventions: Conventions
    evidence: tuple[str, ...]
    end: datetime


def forced_rules(names: Mapping[str, bool]) -> Mapping[str, bool]:
    """The rules by name, checked. Raises UnreadableSource for a name that there is none of."""
    if unknown := [name for name in names if name not in FORCIBLE]:
        raise UnreadableSource(
            f"--rules {unknown[0]}: there is no such rule. The rules that can be forced, or forbidden with no- before "
            f"the name, are {', '.join(FORCIBLE)}."
        )
    return names


def decide_conventions(
    lines: Lines, workspace: Workspace, forced: Mapping[str, bool], now: datetime
) -> DecidedConventions:
    """What the lines prove; `forced` rules are taken as they are told, true or false.

    Raises UnreadableSource where the lines contradict themselves, with the option that decides.
    """
    forced = forced_rules(forced)
    customers = customers_of(lines, workspace)
    none: tuple[str, ...] = ()
    cancellations = _decided(
        forced, "cancellation", (CANCELLATION_PREFIX,), none, lambda: cancellation_letters(lines, workspace)
    )
    adjustments = _decided(
        forced, "adjustment", (ADJUSTMENT_PREFIX,), none, lambda: adjustment_letters(lines, workspace)
    )
    codes = _decided(forced, "non_product", every_non_product(), NonProducts(), lambda: non_products(lines, workspace))
    discounts = _decided(forced, "discount", None, none, lambda: discount_codes(lines, cancellations.value))
    duplicates = _decided(forced, "duplicate", True, False, lambda: _duplicates(lines))
    nobody = _decided(forced, "placeholder", None, none, lambda: placeholders(lines, customers))
    dates = plausible_dates(lines, now, all_of_them=forced.get("date") is False)
    earliest = dates.value.earliest
    conventions = Conventions(
        cancellation_prefixes=cancellations.value,
        adjustment_prefixes=adjustments.value,
        non_product_codes=codes.value.codes,
        non_product_prefixes=codes.value.prefixes,
        discount_codes=discounts.value,
        duplicates=duplicates.value,
        statuses=dict(lines.statuses),
        placeholders=nobody.value,
        earliest=None if earliest is None else earliest.timestamp(),
        currency=lines.currency,
    )
    decisions = (cancellations, adjustments, codes, discounts, duplicates, nobody, dates)
    sentences = [*(decision.evidence for decision in decisions), alike_but_for_case(customers)]
    return DecidedConventions(conventions, tuple(filter(None, sentences)), dates.value.end)


def _decided(
    forced: Mapping[str, bool], name: str, on: T | None, off: T, decide: Callable[[], Decision[T]]
) -> Decision[T]:
    """What an option says, or else the data; also if `on` is None, where the data says best what is meant."""
    value = None if name not in forced else on if forced[name] else off
    if value is None:
        return decide()
    return Decision(value, f"--rules {'' if forced[name] else 'no-'}{name} was given.")


def _duplicates(lines: Lines) -> Decision[bool]:
    """Whether equal lines of one invoice were exported twice."""
    if not {"invoice", "product"} <= lines.present:
        return Decision(False)
    if not lines.has_quantity:
        return Decision(False, "Equal lines are units: the source has no column for quantity.")
    if lines.table["rest"].max().to_pyarrow().as_py() is None:
        return Decision(True)
    read = [name for name in SAME if name != "rest"]
    told = lines.table.filter(row.invoice.notnull() & row["product"].notnull())
    equal = told.group_by(read).agg(lines=row.count(), rows=row["rest"].nunique()).filter(row.lines > 1)
    figures = equal.agg(further=(row.lines - 1).sum(), differ=(row.rows - 1).sum()).to_pyarrow().to_pylist()[0]
    further, differ = int(figures["further"] or 0), int(figures["differ"] or 0)
    if further and differ >= MOSTLY * further:
        return Decision(
            False,
            f"Lines that look equal are lines of their own: {differ:,} of {counted(further, 'line')} that repeat "
            "another one's fields differ in a column that is not read.",
        )
    return Decision(True)
