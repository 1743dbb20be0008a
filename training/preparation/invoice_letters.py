"""Whether a letter before the digits of an invoice number marks cancellations or book-keeping entries."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import ibis
from ibis import Table
from ibis import _ as row

from models.customer.conventions import ADJUSTMENT_PREFIX, CANCELLATION_PREFIX
from training.errors import UnreadableSource
from training.preparation.decision import Decision, counted
from training.preparation.vocabulary import vocabulary
from training.reading.lines import Lines
from training.workspace import Workspace

NEARLY_ALL = 0.9
MOSTLY = 0.5
HARDLY_ANY = 0.1
FEW_ADJUSTMENTS = 0.05
BEYOND_HABIT = 2.0  # times as often as ordinary lines, which repeat earlier ones because customers buy things again


@dataclass(frozen=True, slots=True)
class _Share:
    """The invoices of one form: how many, of how many lines, and how many of these have which value."""

    invoices: int
    lines: int
    negative: int
    positive: int
    example: str


def cancellation_letters(lines: Lines, workspace: Workspace) -> Decision[tuple[str, ...]]:
    """Raises UnreadableSource where some of the invoices behave like cancellations and some do not."""
    letter = CANCELLATION_PREFIX
    shares = _shares(lines, letter, workspace)
    marked = shares.get("marked")
    if marked is None:
        return Decision(())
    shown = f"{counted(marked.invoices, 'invoice')} of {letter} and digits, such as {marked.example},"
    if unlike := _unlike_others(shares, letter):
        return Decision((), f"{shown} tell nothing: {unlike}.")
    valued = marked.negative + marked.positive
    if valued == 0:
        return Decision((), f"{shown} tell nothing: their lines are worth nothing.")
    if marked.negative >= NEARLY_ALL * valued:
        return Decision(
            (letter,),
            f"{shown} are cancellations: {marked.negative:,} of their {valued:,} lines have a negative value.",
        )
    again, usual = _counterparts(lines, letter)
    if again >= MOSTLY and again >= BEYOND_HABIT * usual:
        return Decision(
            (letter,),
            f"{shown} are cancellations: {again:.0%} of their positive lines repeat an earlier line of the customer "
            f"({usual:.0%} of other lines do).",
        )
    if marked.negative <= HARDLY_ANY * valued and again < max(MOSTLY, BEYOND_HABIT * usual):
        return Decision(
            (),
            f"{shown} are orders as others: {marked.positive:,} of their {valued:,} lines have a positive value and no "
            "counterpart.",
        )
    raise UnreadableSource(
        f"{shown} may be cancellations or orders: {marked.negative:,} of their {valued:,} lines have a negative value, "
        f"and {again:.0%} of the others repeat an earlier line of the customer. Say which with --rules cancellation or "
        "--rules no-cancellation."
    )


def adjustment_letters(lines: Lines, workspace: Workspace) -> Decision[tuple[str, ...]]:
    """The letter of book-keeping entries, if there are any."""
    letter = ADJUSTMENT_PREFIX
    shares = _shares(lines, letter, workspace)
    marked = shares.get("marked")
    if marked is None:
        return Decision(())
    shown = f"{counted(marked.invoices, 'invoice')} of {letter} and digits, such as {marked.example},"
    everything = sum(share.invoices for share in shares.values())
    if unlike := _unlike_others(shares, letter):
        return Decision((), f"{shown} tell nothing: {unlike}.")
    if marked.invoices >= FEW_ADJUSTMENTS * everything:
        return Decision(
            (), f"{shown} are orders as others: they are {marked.invoices / everything:.0%} of all invoices."
        )
    odd, described, in_common = _oddities(lines, letter)
    reasons = [
        f"{odd:,} of their {marked.lines:,} lines have no positive value" if odd >= MOSTLY * marked.lines else "",
        "their descriptions say so" if described >= MOSTLY * marked.lines else "",
        "their products are on no other invoice" if in_common == 0 and "product" in lines.present else "",
    ]
    if told := [reason for reason in reasons if reason]:
        return Decision((letter,), f"{shown} are book-keeping entries: {', '.join(told)}.")
    return Decision((), f"{shown} are orders as others: their products and values are.")


def _shares(lines: Lines, letter: str, workspace: Workspace) -> Mapping[str, _Share]:
    """The invoices by form: `marked` (the letter and digits), `alike` (the letter and more) and `other`."""
    if "invoice" not in lines.present:
        return {}
    begins = _begins(row.invoice, letter)
    few = lines.table.filter(begins)
    if not few.head(1).count().to_pyarrow().as_py():
        return {}
    form = ibis.cases(
        (_is_marked(row.invoice, letter), "marked"), (_begins(row.invoice, letter), "alike"), else_="other"
    )
    returned, valued = (row.quantity < 0) | (row.price < 0), (row.quantity != 0) & (row.price != 0)
    by_invoice = lines.table.filter(row.invoice.notnull()).group_by("invoice").agg(
        lines=row.count(), negative=(returned & valued).sum(), positive=(~returned & valued).sum()
    )  # fmt: skip
    found = by_invoice.group_by(form=form).agg(
        invoices=row.count(), lines=row.lines.sum(), negative=row.negative.sum(),
        positive=row.positive.sum(), example=row.invoice.min(),
    )  # fmt: skip
    return {one.pop("form"): _Share(**one) for one in found.to_pyarrow().to_pylist()}


def _unlike_others(shares: Mapping[str, _Share], letter: str) -> str | None:
    """Why the letter cannot be a mark of some of the invoices."""
    counts = {form: share.invoices for form, share in shares.items()}
    others = counts.get("alike", 0) + counts.get("other", 0)
    if counts["marked"] >= others:
        return "most invoices have the letter"
    if counts.get("other", 0) < NEARLY_ALL * others:
        return f"other invoices begin with {letter} too, such as {shares['alike'].example}"
    return None


def _begins(invoice: Any, letter: str) -> Any:
    return invoice.startswith(letter) | invoice.startswith(letter.lower())


def _is_marked(invoice: Any, letter: str) -> Any:
    return ibis.ifelse(_begins(invoice, letter), invoice.re_search("^.[0-9]+$"), False)


def _counterparts(lines: Lines, letter: str) -> tuple[float, float]:
    """The shares of positive lines, with the letter and without, that repeat an earlier line of the same customer,
    product, price and quantity on an invoice without the letter."""
    if "product" not in lines.present:
        return 0.0, 0.0
    positive = lines.table.filter(
        row.customer.notnull() & row["product"].notnull() & (row.quantity > 0) & (row.price > 0)
    ).mutate(marked=_is_marked(row.invoice, letter))
    same = ["customer", "product", "price", "quantity"]
    first = positive.filter(~row.marked).group_by(same).agg(first=row["at"].min())
    joined = positive.left_join(first, same).select("marked", again=(row["at"] > row["first"]).fill_null(False))
    found = joined.group_by("marked").agg(share=row.again.cast("float64").mean()).to_pyarrow().to_pylist()
    shares = {one["marked"]: one["share"] for one in found}
    return shares.get(True, 0.0), shares.get(False, 0.0)


def _oddities(lines: Lines, letter: str) -> tuple[int, int, int]:
    """How many lines with the letter have no positive value, a telling description, and a product of other lines."""
    marked = lines.table.filter(_is_marked(row.invoice, letter))
    others = lines.table.filter(~_is_marked(row.invoice, letter).fill_null(False))
    telling = reduce(or_, (row.description.lower().contains(word) for word in vocabulary().adjustments))
    figures = marked.agg(
        odd=((row.quantity <= 0) | (row.price <= 0)).sum(), described=telling.sum()
    ).to_pyarrow().to_pylist()[0]  # fmt: skip
    shared = marked.filter(row["product"].notnull()).semi_join(others, "product").count().to_pyarrow().as_py()
    return int(figures["odd"] or 0), int(figures["described"] or 0), int(shared)


def marked_invoice(table: Table, letters: tuple[str, ...]) -> Any:
    """Whether the invoice has one of the letters before its digits."""
    if not letters:
        return ibis.literal(False)
    return reduce(or_, (_is_marked(table.invoice, letter) for letter in letters)).fill_null(False)
