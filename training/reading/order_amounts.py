"""What holds for a whole order, brought to its lines: totals, discounts, refunds, and fields of its first row only."""

from collections.abc import Mapping, Sequence
from typing import Any

import ibis
from ibis import _ as row

from models.customer.conventions import status_key
from training.reading.lines import SCHEMA

REFUNDED = "refunded"  # the status of an order that was paid back whole
FILLED = ("at", "customer", "country", "currency", "status", "order_discount", "refund")


def settle_orders(table: Any, first_row_only: Sequence[str], order_total: bool) -> Any:
    """The lines of `table` (columns of `RAW_SCHEMA` and `line`) with what was stated once for an order.

    A field that only the first row of an order has is that of all its rows. The total of an order is divided equally
    among its lines. A discount or a refund lowers all lines of the order in proportion to their value; an order that
    was paid back whole gets the status `refunded`. Rows without an order number are orders of their own.
    """
    filled = table.mutate(alone=ibis.ifelse(table.invoice.isnull(), table.line, -1))
    of_order = ibis.window(group_by=["invoice", "alone"])
    values: dict[str, Any] = {
        field: ibis.coalesce(row[field], row[field].max().over(of_order)) for field in first_row_only if field in FILLED
    }
    filled = filled.mutate(**values)
    amounts: dict[str, Any] = {
        "total": row.order_amount.max().over(of_order),
        "rows_of_order": row.count().over(of_order),
        "off": row.order_discount.max().over(of_order).fill_null(0.0),
        "paid_back": row.refund.max().over(of_order).fill_null(0.0),
    }
    filled = filled.mutate(**amounts)
    if order_total:
        share = row.total.abs() / row.rows_of_order
        filled = filled.mutate(
            price=ibis.ifelse(row.quantity == 0, ibis.null("float64"), share / row.quantity.abs()),
            quantity=row.quantity.abs() * ibis.ifelse(row.total < 0, -1.0, 1.0),
        )
    goods = ibis.greatest(row.quantity * row.price, 0.0).sum().over(of_order)
    filled = filled.mutate(goods=goods)
    left = ibis.greatest(1.0 - ibis.least(row.off, row.goods) / row.goods.nullif(0.0), 0.0)
    filled = filled.mutate(price=ibis.ifelse((row.off > 0) & (row.quantity > 0), row.price * left, row.price))
    goods = ibis.greatest(row.quantity * row.price, 0.0).sum().over(of_order)
    filled = filled.mutate(goods=goods)
    whole = (row.paid_back > 0) & (row.paid_back >= row.goods - 0.005)
    kept = 1.0 - row.paid_back / row.goods.nullif(0.0)
    partly = (row.paid_back > 0) & ~whole & (row.quantity > 0)
    return filled.mutate(
        price=ibis.ifelse(partly, row.price * kept, row.price),
        status=ibis.ifelse(whole, ibis.literal(REFUNDED), row.status),
    ).select("line", *SCHEMA, "currency")


def take_currency(table: Any, currency: str) -> Any:
    """The lines with those of another currency given a status that is no purchase."""
    other = row.currency.notnull() & (row.currency.upper() != currency)
    return table.mutate(status=ibis.ifelse(other, ibis.literal("currency ") + table.currency.lower(), row.status))


def convert(table: Any, rates: Mapping[str, float]) -> Any:
    """The lines with prices in one currency; `rates` says what one unit of each is worth in it."""
    rate = row.currency.upper().cases(*rates.items(), else_=ibis.null("float64"))
    return table.mutate(price=row.price * ibis.ifelse(row.currency.isnull(), 1.0, rate))


def currency_status(currency: str) -> str:
    """The status of rows in a currency that is not read."""
    return status_key(f"currency {currency}")
