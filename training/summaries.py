"""One summary per customer from cleaned lines: `models.fold` as Ibis expressions."""

from dataclasses import dataclass

import ibis
import numpy as np
from ibis import Table
from ibis import _ as row

from models.fold import DECIMALS
from models.summary import Summaries
from training.cleaning import Cleaned

NUMBERS = (
    "first_at", "last_at", "orders", "lines", "units", "revenue", "price_sum", "bought", "returned",
    "typical_quantity", "products",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CustomerSummaries:
    """n customers in the order of their ids, and the summary of each."""

    ids: tuple[str, ...]
    summaries: Summaries


def summarise(cleaned: Cleaned) -> CustomerSummaries:
    """The summaries of all customers who have a purchase left."""
    found = summary_table(cleaned).order_by("customer").to_pyarrow()
    columns = {name: found[name].to_numpy(zero_copy_only=False).astype(np.float64) for name in NUMBERS}
    country = found["country"].to_pylist()
    return CustomerSummaries(tuple(found["customer"].to_pylist()), Summaries(**columns, country=country))


def summary_table(cleaned: Cleaned) -> Table:
    """One row per customer with the fields of `models.summary.Summary`, on whatever engine holds the lines."""
    purchases = cleaned.purchases
    kept = purchases.filter(~row.undone)
    parts = [
        _most_frequent(kept, "quantity").rename(typical_quantity="quantity"),
        _most_frequent(kept.filter(row.country.notnull()), "country"),
        _distinct(kept, "product").rename(products="distinct"),
        _value(purchases, "bought"),
        _value(cleaned.returns, "returned"),
    ]
    joined = _totals(kept)
    for part in parts:
        joined = joined.left_join(part, "customer").drop("customer_right")
    return joined.mutate(returned=row.returned.fill_null(0.0))


def _totals(kept: Table) -> Table:
    # by order first, so that counting distinct orders needs no set per customer
    orders = kept.group_by(["customer", "order"]).agg(
        first_at=row["at"].min(), last_at=row["at"].max(), lines=row.count(), units=row.quantity.sum(),
        revenue=row.value.sum(), price_sum=row.price.sum(),
    )  # fmt: skip
    return orders.group_by("customer").agg(
        first_at=row.first_at.min(), last_at=row.last_at.max(), orders=row.count(), lines=row.lines.sum(),
        units=row.units.sum().round(DECIMALS), revenue=row.revenue.sum().round(DECIMALS),
        price_sum=row.price_sum.sum().round(DECIMALS),
    )  # fmt: skip


def _value(lines: Table, name: str) -> Table:
    return lines.group_by("customer").agg(**{name: row.value.sum().round(DECIMALS)})


def _distinct(kept: Table, column: str) -> Table:
    pairs = kept.filter(row[column].notnull()).select("customer", column).distinct()
    return pairs.group_by("customer").agg(distinct=row.count())


def _most_frequent(kept: Table, column: str) -> Table:
    """The mode, of equals the smallest: engines differ in which they would take."""
    counted = kept.group_by(["customer", column]).agg(times=row.count())
    best = ibis.row_number().over(group_by="customer", order_by=[counted.times.desc(), counted[column].asc()])
    return counted.mutate(place=best).filter(row.place == 0).select("customer", column)
