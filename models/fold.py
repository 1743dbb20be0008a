"""One customer's lines, cleaned and summed up, as an answer needs them."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from models.bought import Bought
from models.cleaning import NEGATIVE_VALUE, RULE, can_be_duplicate, kind
from models.customer.conventions import Conventions
from models.line import Line
from models.summary import Summary

DECIMALS = 6  # of sums of money and units

T = TypeVar("T", str, float)


@dataclass(frozen=True, slots=True)
class Folded:
    """A customer's lines after cleaning: the summary (None where no order is left), what was left out, and by product
    what was bought and kept."""

    summary: Summary | None
    ignored: Mapping[str, int]
    bought: Mapping[str, Bought]


def fold(lines: Iterable[Line], as_of: float, conventions: Conventions) -> Folded:
    """Clean one customer's lines by `models.cleaning` and sum up what is left at `as_of` (seconds UTC).

    A return is worth |quantity x price|, whichever sign says that it came back. Discount lines, negative and of a
    product code in `discount_codes`, lower the purchases of their order in proportion to their value, to zero at most;
    without a purchase in their order they are returns.
    """
    earliest, statuses, letters = conventions.earliest, conventions.statuses, conventions.rule_by_letter
    is_non_product, duplicates = conventions.is_non_product, conventions.duplicates
    ignored: Counter[str] = Counter()
    purchases: list[Line] = []
    returns: list[Line] = []
    discounts: list[Line] = []
    seen: set[Line] = set()
    for line in lines:
        rule = kind(line, earliest, as_of, statuses, letters)
        if rule and not RULE[rule].returns:
            ignored[rule] += 1
            continue
        if rule and not (line.price and line.quantity):
            ignored["quantity_not_positive" if line.price else "price_not_positive"] += 1
            continue
        of_discount = False
        if is_non_product(line.product):
            of_discount = rule in NEGATIVE_VALUE and conventions.is_discount(line.product)
            if not of_discount:
                ignored["non_product"] += 1
                continue
        if duplicates:
            known = len(seen)
            seen.add(line)  # looked up and added at once: to hash a line costs more than all else asked of it
            if len(seen) == known and can_be_duplicate(line):
                ignored["duplicate"] += 1
                continue
        (discounts if of_discount else returns if rule else purchases).append(line)
    kept = without_cancelled(purchases, returns)
    orders = [_order(line) for line in kept]
    products = _by_product(kept, orders)
    if not kept:
        return Folded(None, ignored, products)
    value = _value(kept)
    revenue, bought = value, value if len(kept) == len(purchases) else _value(purchases)
    if discounts:
        factors, returned_discounts = _discounted(purchases, discounts)
        returns += returned_discounts
        lowered = [
            line.quantity * line.price * factors.get(order, 1.0) for line, order in zip(kept, orders, strict=True)
        ]
        revenue = _sum(lowered)
        bought = _sum([*lowered, bought, -value])
    returned = _sum([abs(line.quantity * line.price) for line in returns])
    return Folded(_summary(kept, len(set(orders)), revenue, bought, returned, len(products)), ignored, products)


def _order(line: Line) -> object:
    """What tells the order a line belongs to: its invoice, or its moment where lines have no invoice."""
    return line.at if line.invoice is None else line.invoice


def _discounted(purchases: Sequence[Line], discounts: Sequence[Line]) -> tuple[dict[object, float], list[Line]]:
    """What is left of each unit of money in the orders that discounts lower, and the discounts without an order."""
    worth: dict[object, list[float]] = {}
    for line in purchases:
        worth.setdefault(_order(line), []).append(line.quantity * line.price)
    off: dict[object, list[float]] = {}
    alone: list[Line] = []
    for line in discounts:
        if _order(line) in worth:
            off.setdefault(_order(line), []).append(abs(line.quantity * line.price))
        else:
            alone.append(line)
    factors = {order: max(0.0, 1.0 - _sum(values) / _sum(worth[order])) for order, values in off.items()}
    return factors, alone


def without_cancelled(purchases: Sequence[Line], returns: Sequence[Line]) -> list[Line]:
    """The purchases that no full cancellation undid.

    A return undoes the latest purchase before it of the same product, price and quantity that is not undone
    yet; without a product it is not known what came back. Walking back in time, a purchase is undone when it meets a
    return still waiting for one. (The pair of 80,995 paper craft birdies, bought and cancelled within minutes, must
    not make anyone a champion.)
    """
    waiting: dict[tuple[str | None, float, float], list[float]] = {}
    for line in returns:
        if line.product is not None:
            waiting.setdefault((line.product, abs(line.price), abs(line.quantity)), []).append(line.at)
    if not waiting:
        return list(purchases)
    undone: set[int] = set()
    candidates = [
        (line.at, line.invoice or "", index, (line.product, line.price, line.quantity))
        for index, line in enumerate(purchases)
        if (line.product, line.price, line.quantity) in waiting
    ]
    open_returns = {key: sorted(times) for key, times in waiting.items()}
    depth: Counter[tuple[str | None, float, float]] = Counter()
    for at, _, index, key in sorted(candidates, reverse=True, key=lambda one: one[:3]):
        times = open_returns[key]
        while times and times[-1] >= at:
            times.pop()
            depth[key] += 1
        if depth[key]:
            depth[key] -= 1
            undone.add(index)
    return [line for index, line in enumerate(purchases) if index not in undone]


def _sum(values: Iterable[float]) -> float:
    # Rounded, because engines add in any order: the last bits must not decide a segment or an artifact's digest.
    return round(math.fsum(values), DECIMALS)


def _value(lines: Sequence[Line]) -> float:
    return _sum([quantity * price for _, _, quantity, _, price, _, _, _ in lines])


def _by_product(kept: Sequence[Line], orders: Sequence[object]) -> dict[str, Bought]:
    """In how many orders each product was bought, and when last. `orders` tells the order of each line."""
    first: dict[str, object] = {}
    further: dict[str, set[object]] = {}  # of the few products that were bought in more orders than one
    last: dict[str, float] = {}
    for (_, product, _, at, _, _, _, _), order in zip(kept, orders, strict=True):
        if product is None:
            continue
        if product not in last:
            first[product], last[product] = order, at
            continue
        if order != first[product]:
            further.setdefault(product, set()).add(order)
        if at > last[product]:
            last[product] = at
    bought = {product: Bought(1, last[product]) for product in sorted(last)}
    for product, orders_beside in further.items():
        bought[product] = Bought(1 + len(orders_beside), last[product])
    return bought


def _summary(
    kept: Sequence[Line], orders: int, revenue: float, bought: float, returned: float, products: int
) -> Summary:
    _, _, quantities, moments, prices, countries, _, _ = zip(*kept, strict=True)
    return Summary(
        first_at=min(moments),
        last_at=max(moments),
        orders=orders,
        lines=len(kept),
        units=_sum(quantities),
        revenue=revenue,
        price_sum=_sum(prices),
        bought=bought,
        returned=returned,
        typical_quantity=_most_frequent(quantities),
        products=products or None,
        country=_most_frequent(named) if (named := [name for name in countries if name]) else None,
    )


def _most_frequent(values: Sequence[T]) -> T:
    """Of equals the smallest quantity and the alphabetically first country, in every engine alike."""
    counted: dict[T, int] = {}
    for value in values:
        counted[value] = counted.get(value, 0) + 1
    most = max(counted.values())
    return min(value for value, times in counted.items() if times == most)
