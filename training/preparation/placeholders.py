"""Which customer ids stand for no customer, and which cannot be ids at all."""

from dataclasses import dataclass
from typing import Any

from ibis import Table
from ibis import _ as row

from models.customer.customer_id import in_lower_case
from training.preparation.decision import Decision, counted
from training.preparation.vocabulary import vocabulary
from training.reading.lines import Lines
from training.workspace import Workspace

FEWEST_ORDERS = 10  # of a number that may stand for nobody
BEYOND_OTHERS = 3.0  # times the orders of the busiest other customer
COUNTRIES = 3
AT_ONE_MOMENT = 0.1  # share of orders at the very moment of another one


@dataclass(frozen=True, slots=True)
class _Behaviour:
    """The orders of one id, how many countries they are of, and the share of them at the moment of another one."""

    orders: int
    countries: int
    at_one_moment: float


def customers_of(lines: Lines, workspace: Workspace) -> Table:
    """Each customer id with its lines."""
    known = lines.table.filter(row.customer.notnull()).group_by("customer").agg(lines=row.count())
    return workspace.store("customers", known, temp=True)


def placeholders(lines: Lines, customers: Table) -> Decision[tuple[str, ...]]:
    """Ids, in lower case, that stand for no customer: words that say so, and numbers that behave so."""
    words = vocabulary()
    mailbox = customers.customer.lower()
    in_list = mailbox.isin([*words.placeholders, *words.perhaps_placeholders])
    for start in words.placeholder_mailboxes:
        in_list |= mailbox.startswith(start)
    found = customers.filter(in_list).order_by("customer").to_pyarrow().to_pylist()
    counts: dict[str, int] = {}
    for one in found:
        key = in_lower_case(one["customer"])
        counts[key] = counts.get(key, 0) + one["lines"]
    doubtful = [one for one in counts if one in words.perhaps_placeholders]
    behaving = _behaving(lines, doubtful) if doubtful else {}
    sure = [one for one in counts if one not in words.perhaps_placeholders]
    value = tuple(dict.fromkeys([*words.placeholders, *sure, *behaving]))
    told = [f"{_shown(one)} ({counted(counts[one], 'line')})" for one in sure]
    told += [f"{_shown(one)} ({counted(counts[one], 'line')}; {why})" for one, why in behaving.items()]
    return Decision(value, f"These customer ids stand for no customer: {', '.join(told)}." if told else None)


def alike_but_for_case(customers: Table) -> str | None:
    """A sentence where ids differ by case only."""
    figures = customers.agg(ids=row.count(), spelled=row.customer.lower().nunique()).to_pyarrow().to_pylist()[0]
    if different := figures["ids"] - figures["spelled"]:
        return (
            f"{counted(different, 'customer id')} differ by case only from another one, and count as other customers."
        )
    return None


def _behaving(lines: Lines, doubtful: list[str]) -> dict[str, str]:
    """Those of the ids that behave like many customers, with how."""
    key: Any = (
        row.invoice.fill_null(row["at"].cast("string")) if "invoice" in lines.present else row["at"].cast("string")
    )
    asked = row.customer.lower().isin(doubtful)
    orders = lines.table.filter(row.customer.notnull()).select("customer", "country", "at", order=key, asked=asked)
    most = orders.filter(~row.asked).group_by("customer").agg(orders=row.order.nunique())
    busiest = most.agg(most=row.orders.max()).to_pyarrow().to_pylist()[0]["most"] or 0
    by_order = orders.filter(row.asked).group_by(id=row.customer.lower(), order=row.order).agg(
        at=row["at"].min(), country=row.country.min()
    )  # fmt: skip
    figures = by_order.group_by("id").agg(
        orders=row.count(), countries=row.country.nunique(), moments=row["at"].nunique()
    )  # fmt: skip
    found = {}
    for one in figures.order_by("id").to_pyarrow().to_pylist():
        shared = 1 - one["moments"] / one["orders"] if lines.has_time else 0.0
        behaviour = _Behaviour(one["orders"], one["countries"], shared)
        if why := _like_many(behaviour, busiest):
            found[one["id"]] = why
    return found


def _like_many(behaviour: _Behaviour, busiest: int) -> str | None:
    if behaviour.orders < FEWEST_ORDERS:
        return None
    if behaviour.orders >= BEYOND_OTHERS * busiest:
        return f"{behaviour.orders:,} orders, no other customer has more than {busiest:,}"
    if behaviour.countries >= COUNTRIES:
        return f"{behaviour.orders:,} orders from {behaviour.countries} countries"
    if behaviour.at_one_moment >= AT_ONE_MOMENT:
        return f"{behaviour.at_one_moment:.0%} of {behaviour.orders:,} orders at the moment of another one"
    return None


def _shown(customer: str) -> str:
    """An id that may be shown: a word of the list is no person's."""
    return f"'{customer}'" if "@" not in customer else f"'{customer.partition('@')[0]}@…'"
