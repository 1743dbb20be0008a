"""What is remembered of one customer's purchases: sums, counts, first and last. Features need nothing else."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.affinity import Bought
from models.cleaning import RULE, can_be_duplicate, kind, non_products
from models.line import Line

DECIMALS = 6  # of sums of money and units


@dataclass(frozen=True, slots=True)
class Summary:
    """One customer's purchases up to a moment. Money is in the data's currency, times in seconds UTC.

    Lines that a full cancellation undid count in `bought` and `returned` only, so that they make no order.
    `products` is None where the source names no products, `country` where it names no countries.
    """

    first_at: float
    last_at: float
    orders: int
    lines: int
    units: float
    revenue: float
    price_sum: float
    bought: float
    returned: float
    typical_quantity: float
    products: int | None
    country: str | None


@dataclass(frozen=True, slots=True)
class Summaries:
    """The summaries of n customers as columns; every array has shape (n,). Absent products are NaN."""

    first_at: NDArray[np.float64]
    last_at: NDArray[np.float64]
    orders: NDArray[np.float64]
    lines: NDArray[np.float64]
    units: NDArray[np.float64]
    revenue: NDArray[np.float64]
    price_sum: NDArray[np.float64]
    bought: NDArray[np.float64]
    returned: NDArray[np.float64]
    typical_quantity: NDArray[np.float64]
    products: NDArray[np.float64]
    country: Sequence[str | None]

    @classmethod
    def of(cls, summaries: Sequence[Summary]) -> "Summaries":
        """Columns from single summaries, in their order."""
        columns = {
            field.name: np.array([getattr(one, field.name) for one in summaries], dtype=np.float64)
            for field in fields(Summary)
            if field.name != "country"
        }
        return cls(**columns, country=[one.country for one in summaries])

    def __len__(self) -> int:
        return len(self.first_at)


@dataclass(frozen=True, slots=True)
class Folded:
    """A customer's lines after cleaning: the summary (None where no order is left), what was left out, and by product
    what was bought and kept."""

    summary: Summary | None
    ignored: Mapping[str, int]
    bought: Mapping[str, Bought]


def fold(lines: Iterable[Line], as_of: float) -> Folded:
    """Clean one customer's lines by `models.cleaning` and sum up what is left at `as_of` (seconds UTC)."""
    ignored: Counter[str] = Counter()
    purchases: list[Line] = []
    returns: list[Line] = []
    seen: set[Line] = set()
    for line in lines:
        rule = kind(line, as_of)
        if rule and not RULE[rule].returns:
            ignored[rule] += 1
        elif rule and line.price <= 0:
            ignored["price_not_positive"] += 1
        elif can_be_duplicate(line) and line in seen:
            ignored["duplicate"] += 1
        elif line.product in non_products():
            ignored["non_product"] += 1
        else:
            seen.add(line)
            (returns if rule else purchases).append(line)
    kept = without_cancelled(purchases, returns)
    bought = _sum(line.quantity * line.price for line in purchases)
    # some shops write a cancellation with its quantity positive: the invoice says that it came back
    returned = _sum(abs(line.quantity) * line.price for line in returns)
    products = _by_product(kept)
    return Folded(_summary(kept, bought, returned, len(products)) if kept else None, ignored, products)


def without_cancelled(purchases: Sequence[Line], returns: Sequence[Line]) -> list[Line]:
    """The purchases that no full cancellation undid.

    A return undoes the latest purchase before it of the same product, price and quantity that is not undone
    yet. Walking back in time, a purchase is undone when it meets a return still waiting for one. (The pair of
    80,995 paper craft birdies, bought and cancelled within minutes, must not make anyone a champion.)
    """
    waiting: dict[tuple[str | None, float, float], list[float]] = {}
    for line in returns:
        waiting.setdefault((line.product, line.price, abs(line.quantity)), []).append(line.at)
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


def _by_product(kept: Sequence[Line]) -> dict[str, Bought]:
    """In how many orders each product was bought, and when last."""
    orders: dict[str, set[object]] = {}
    last: dict[str, float] = {}
    for line in kept:
        if line.product is not None:
            orders.setdefault(line.product, set()).add(_order(line))
            last[line.product] = max(last.get(line.product, line.at), line.at)
    return {product: Bought(len(orders[product]), last[product]) for product in sorted(orders)}


def _order(line: Line) -> object:
    """What tells the order a line belongs to: its invoice, or its moment where lines have no invoice."""
    return line.invoice if line.invoice is not None else line.at


def _summary(kept: Sequence[Line], bought: float, returned: float, products: int) -> Summary:
    quantities = Counter(line.quantity for line in kept)
    countries = Counter(line.country for line in kept if line.country)
    return Summary(
        first_at=min(line.at for line in kept),
        last_at=max(line.at for line in kept),
        orders=len({_order(line) for line in kept}),
        lines=len(kept),
        units=_sum(line.quantity for line in kept),
        revenue=_sum(line.quantity * line.price for line in kept),
        price_sum=_sum(line.price for line in kept),
        bought=bought,
        returned=returned,
        # ties: the smallest quantity and the alphabetically first country, in every engine alike
        typical_quantity=min(quantities, key=lambda quantity: (-quantities[quantity], quantity)),
        products=products or None,
        country=min(countries, key=lambda name: (-countries[name], name), default=None),
    )
