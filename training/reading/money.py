"""Which columns tell what a line cost: decided by how columns agree, and by names only where the values leave it
open."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.import_plan import DiscountForm, Money
from training.errors import UnreadableSource
from training.reading.column_mapping import candidates, listed, role_of, words
from training.reading.scan import ColumnScan, Orders, TableScan

AGREE = 0.98  # from this share of rows on, two columns agree
EVIDENT_GROUPS = 3  # products sold in different quantities that show what a price is of
FEWEST_EVIDENT = 2  # quantities of one product
ROWS_LOOKED_AT = 5_000  # for what a price is of: more show no more


@dataclass(frozen=True, slots=True)
class MoneyColumns:
    """The columns of price, amount and discount, and why. `assumption` is empty where the values prove it."""

    money: Money
    price: str | None
    amount: str | None
    discount: str | None
    discount_form: DiscountForm | None
    decision: str
    assumption: str = ""


@dataclass(frozen=True, slots=True)
class _Columns:
    """What is known of a table when money is decided."""

    scan: TableScan
    orders: Orders | None
    quantity: ColumnScan | None
    product: ColumnScan | None

    def column(self, name: str) -> ColumnScan:
        return self.scan.columns[name]

    def is_of_order(self, name: str) -> bool:
        """Whether the column has one value for a whole order."""
        column = self.column(name)
        return self.orders is not None and (self.orders.on_first_row_only(column) or self._repeats(column))

    def _repeats(self, column: ColumnScan) -> bool:
        if self.orders is None or len(self.orders.groups) < EVIDENT_GROUPS or not self.orders.repeats(column):
            return False
        # Lines of one order can cost the same by chance; lines of different quantities hardly.
        differing = 0
        for group in self.orders.groups:
            kinds = {self.product.values[row] for row in group} if self.product else set()
            sizes = {self.quantity.values[row] for row in group} if self.quantity else set()
            differing += len(kinds) > 1 or len(sizes) > 1
        return differing >= EVIDENT_GROUPS


def decide_money(
    scan: TableScan,
    names: Sequence[str],
    quantity: str | None,
    invoice: str | None,
    product: str | None,
) -> MoneyColumns:
    """The columns of money among `names`, which hold no other field.

    Raises UnreadableSource where columns disagree and nothing tells which one was paid, or none is found.
    """
    columns = _Columns(
        scan,
        scan.orders(invoice) if invoice else None,
        scan.columns[quantity] if quantity else None,
        scan.columns[product] if product else None,
    )
    prices = [name for name in candidates(names, "price") if scan.columns[name].present]
    amounts = [name for name in candidates(names, "amount") if scan.columns[name].present and name not in prices]
    numeric = [name for name in (*prices, *amounts) if scan.columns[name].is_numeric]
    if not numeric:
        return _by_name(candidates(names, "price"), candidates(names, "amount"))
    of_order = [name for name in numeric if columns.is_of_order(name)]
    prices = [name for name in prices if name in numeric and name not in of_order]
    amounts = [name for name in amounts if name in numeric and name not in of_order]
    if not prices and not amounts:
        chosen = of_order[0]
        return MoneyColumns(
            "order_total", None, chosen, None, None,
            f"'{chosen}' is the total of an order: it has one value for all lines of an order, is taken once, and "
            f"divided "
            "among the lines.",
        )  # fmt: skip
    if columns.quantity is None:
        return _without_quantity(columns, prices, amounts)
    return _with_quantity(columns, columns.quantity, names, prices, amounts)


def _by_name(prices: Sequence[str], amounts: Sequence[str]) -> MoneyColumns:
    price = prices[0] if prices else None
    amount = None if price else amounts[0] if amounts else None
    money: Money = "unit_price" if price else "line_total"
    return MoneyColumns(money, price, amount, None, None, "")


def _without_quantity(columns: _Columns, prices: Sequence[str], amounts: Sequence[str]) -> MoneyColumns:
    """Every line is one unit; what it cost must be one column, or several that say the same."""
    chosen = [*amounts, *prices]
    paid = _after_discount(columns, chosen) or chosen[0]
    rivals = [name for name in chosen if name != paid and not _same(columns.column(name), columns.column(paid))]
    rivals = [name for name in rivals if not _explained(columns, paid, name)]
    if rivals:
        names = listed([paid, *rivals])
        examples = "; ".join(f"'{name}' has {columns.column(name).example}" for name in [paid, *rivals])
        whole = next((name for name in [paid, *rivals] if columns.column(name).is_whole), paid)
        other = next(name for name in [paid, *rivals] if name != whole)
        raise UnreadableSource(
            f"{columns.scan.where}: {names} all look like what a line cost, and they differ ({examples}). Say which "
            f"with "
            f"--column amount='{paid}' or --column amount='{rivals[0]}'; if '{whole}' counts units, with "
            f"--column quantity='{whole}' --column amount='{other}'."
        )
    decision = f"'{paid}' is what a line cost; without a quantity each line is one unit."
    if paid in prices:
        return MoneyColumns("unit_price", paid, None, None, None, decision)
    return MoneyColumns("line_total", None, paid, None, None, decision)


def _with_quantity(
    columns: _Columns, quantity: ColumnScan, names: Sequence[str], prices: Sequence[str], amounts: Sequence[str]
) -> MoneyColumns:
    q = quantity.numbers
    discounts = [name for name in names if role_of(name) == "line_discount" and columns.column(name).is_numeric]
    discounts = [name for name in discounts if not columns.is_of_order(name) and _any(columns.column(name).numbers)]
    if not prices:
        amount = _after_discount(columns, amounts) or amounts[0]
        return _single(columns, q, amount, named_total=True)
    price, total_like = _pick_price(columns, q, prices, amounts)
    totals = [name for name in (*amounts, *total_like) if name != price]
    if not totals:
        single = _single(columns, q, price, named_total=False)
        if single.money == "unit_price" and discounts:
            return _discounted(columns, single, discounts[0])
        return single
    return _compare(columns, q, price, totals, discounts)


def _pick_price(
    columns: _Columns, q: NDArray[np.float64], prices: Sequence[str], amounts: Sequence[str]
) -> tuple[str, list[str]]:
    """The unit price among columns named so, and those of them that are line totals."""
    price, *others = prices
    totals: list[str] = []
    for other in others:
        one, two = columns.column(price).numbers, columns.column(other).numbers
        if _agree(one, two):
            continue
        if _agree(q * one, two):
            totals.append(other)
        elif _agree(q * two, one):
            totals.append(price)
            price = other
        elif not any(_agree(q * two, columns.column(name).numbers) for name in amounts) and not any(
            _agree(q * one, columns.column(name).numbers) for name in amounts
        ):
            raise UnreadableSource(
                f"{columns.scan.where}: '{price}' and '{other}' both look like the unit price, and they differ: "
                f"{_difference(columns, one, two)}. Say which with --column price='{price}' or --column "
                f"price='{other}'."
            )
        elif any(_agree(q * two, columns.column(name).numbers) for name in amounts):
            price = other
    return price, totals


def _compare(
    columns: _Columns, q: NDArray[np.float64], price: str, totals: Sequence[str], discounts: Sequence[str]
) -> MoneyColumns:
    """A unit price beside line totals: they must agree, or a discount must explain the difference."""
    p = columns.column(price).numbers
    paid = _after_discount(columns, totals)
    for total in [paid] if paid else totals:
        t = columns.column(total).numbers
        if _agree(q * p, t):
            return MoneyColumns(
                "unit_price", price, None, None, None,
                f"'{price}' is the unit price: multiplied by the quantity it gives '{total}'.",
            )  # fmt: skip
        for discount in discounts:
            if form := _discount_form(q, p, columns.column(discount).numbers, t):
                return MoneyColumns(
                    "line_total", None, total, None, None,
                    f"'{total}' is what a line cost: quantity times '{price}' less '{discount}' ({form}). "
                    f"'{price}' is the price before the discount.",
                )  # fmt: skip
        if _agree(p, t):
            return MoneyColumns(
                "line_total", None, total, None, None,
                f"'{price}' and '{total}' are equal: both are what a line cost, not the price of one unit.",
            )  # fmt: skip
    total = paid or totals[0]
    t = columns.column(total).numbers
    taxed = [name for name in columns.scan.columns if role_of(name) == "tax" and columns.column(name).is_numeric]
    for tax in taxed:
        if _agree(q * p + columns.column(tax).numbers, t):
            return MoneyColumns(
                "unit_price", price, None, None, None,
                f"'{price}' is the unit price: multiplied by the quantity, and with '{tax}', it gives '{total}'.",
            )  # fmt: skip
    raise UnreadableSource(
        f"{columns.scan.where}: quantity times '{price}' and '{total}' differ: {_difference(columns, q * p, t)}. "
        f"Say what was paid with --column price='{price}' (for one unit) or --column amount='{total}' (for the line)."
    )


def _single(columns: _Columns, q: NDArray[np.float64], name: str, *, named_total: bool) -> MoneyColumns:
    """One column of money beside a quantity: of one unit, or of the line, as its values show."""
    proven = _proportional(columns, q, columns.column(name).numbers)
    is_total = named_total if proven is None else proven
    shown = {
        True: f"'{name}' is a line total: for one product it grows with the quantity.",
        False: f"'{name}' is the unit price: for one product it stays the same whatever the quantity.",
    }
    named = {
        True: f"'{name}' is a line total, by its name; the values do not show it.",
        False: f"'{name}' is the unit price, by its name; the values do not show it.",
    }
    decision, assumption = (named[is_total], named[is_total]) if proven is None else (shown[is_total], "")
    if is_total:
        return MoneyColumns("line_total", None, name, None, None, decision, assumption)
    return MoneyColumns("unit_price", name, None, None, None, decision, assumption)


def _discounted(columns: _Columns, found: MoneyColumns, discount: str) -> MoneyColumns:
    form = discount_form(discount, columns.column(discount).numbers)
    said = {"amount": "an amount off the line", "share": "a share of the price", "percent": "per cent of the price"}
    return MoneyColumns(
        found.money, found.price, None, discount, form, found.decision,
        f"'{discount}' is {said[form]} and is taken off; --column discount= leaves it out.",
    )  # fmt: skip


def grows_with_quantity(scan: TableScan, money: str, quantity: str | None, product: str | None) -> bool | None:
    """Whether a column of money grows with the quantity of a product; None if the rows do not show it."""
    if quantity is None or product is None:
        return None
    columns = _Columns(scan, None, scan.columns[quantity], scan.columns[product])
    return _proportional(columns, scan.columns[quantity].numbers, scan.columns[money].numbers)


def discount_form(name: str, values: NDArray[np.float64]) -> DiscountForm:
    """What the numbers of a column of discounts are, by its name and their size."""
    if {"percent", "percentage", "pct"} & set(words(name)) or "%" in name:
        return "percent"
    finite = np.abs(values[np.isfinite(values)])
    return "share" if finite.size and finite.max() <= 1.0 else "amount"


def _proportional(columns: _Columns, q: NDArray[np.float64], value: NDArray[np.float64]) -> bool | None:
    """True if a product's value grows with the quantity, False if it stays, None if the rows do not show it."""
    if columns.product is None:
        return None
    by_product: dict[str, list[int]] = defaultdict(list)
    sound = np.isfinite(q) & np.isfinite(value) & (q != 0) & (value != 0)
    for row in np.flatnonzero(sound)[:ROWS_LOOKED_AT].tolist():
        if (product := columns.product.values[row]) is not None:
            by_product[product].append(row)
    grows = stays = quantities = 0
    for rows in by_product.values():
        sizes = np.abs(q[rows])
        different = len(set(sizes.tolist()))
        if different < FEWEST_EVIDENT:
            continue
        worth = np.abs(value[rows])
        each = worth / sizes
        quantities += different
        grows += _constant(each) and not _constant(worth)
        stays += _constant(worth) and not _constant(each)
    clear = grows + stays
    # Three quantities of one product at one price show as much as three products of two.
    if not clear or quantities < EVIDENT_GROUPS:
        return None
    if grows >= 0.9 * clear:
        return True
    return False if stays >= 0.9 * clear else None


def _constant(values: NDArray[np.float64]) -> bool:
    middle = float(np.median(values))
    return bool(np.mean(np.abs(values - middle) <= 0.011 + 0.001 * middle) >= 0.9)


def _discount_form(
    q: NDArray[np.float64], p: NDArray[np.float64], d: NDArray[np.float64], total: NDArray[np.float64]
) -> str | None:
    off = np.abs(np.nan_to_num(d))
    gross = np.abs(q * p)
    forms = {
        "an amount of the line": gross - off,
        "an amount of one unit": gross - np.abs(q) * off,
        "a share": gross * (1 - off),
        "per cent": gross * (1 - off / 100),
    }
    return next((form for form, net in forms.items() if _agree(net, total)), None)


def _after_discount(columns: _Columns, totals: Sequence[str]) -> str | None:
    """Of two totals that differ by a column of discounts, the one that was paid."""
    discounts = [column for name, column in columns.scan.columns.items() if role_of(name) == "line_discount"]
    for discount in discounts:
        if not discount.is_numeric or not _any(discount.numbers):
            continue
        for gross in totals:
            for net in totals:
                g, n = columns.column(gross).numbers, columns.column(net).numbers
                if gross != net and _agree(np.abs(g) - np.abs(np.nan_to_num(discount.numbers)), n):
                    return net
    return None


def _explained(columns: _Columns, paid: str, other: str) -> bool:
    """Whether another column of money differs from what was paid by a discount or a tax."""
    p, o = columns.column(paid).numbers, columns.column(other).numbers
    for name, column in columns.scan.columns.items():
        if role_of(name) in {"line_discount", "tax", "postage"} and column.is_numeric:
            difference = np.abs(np.nan_to_num(column.numbers))
            if _agree(np.abs(p) + difference, o) or _agree(np.abs(o) + difference, p):
                return True
    return False


def _same(one: ColumnScan, two: ColumnScan) -> bool:
    return _agree(one.numbers, two.numbers)


def _agree(one: NDArray[np.float64], two: NDArray[np.float64]) -> bool:
    """Whether nearly all rows that have both are equal but for rounding, whatever their signs."""
    both = np.isfinite(one) & np.isfinite(two)
    if not both.any():
        return False
    gap = np.abs(np.abs(one[both]) - np.abs(two[both]))
    return bool(np.mean(gap <= 0.011 + 0.0005 * np.abs(two[both])) >= AGREE)


def _any(numbers: NDArray[np.float64]) -> bool:
    return bool(np.any(np.nan_to_num(numbers) != 0))


def _difference(columns: _Columns, one: NDArray[np.float64], two: NDArray[np.float64]) -> str:
    both = np.isfinite(one) & np.isfinite(two)
    apart = np.flatnonzero(both & (np.abs(np.abs(one) - np.abs(two)) > 0.011 + 0.0005 * np.abs(two)))
    row = int(apart[0])
    return f"in {len(apart):,} of {int(both.sum()):,} rows, such as {one[row]:g} and {two[row]:g} in row {row + 1}"
