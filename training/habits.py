"""How the members of each segment typically buy, from the purchase lines that were kept."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
from ibis import Table
from ibis import _ as row
from numpy.typing import NDArray
from scipy.special import betaincinv

from models.features import DAY
from models.fold import DECIMALS
from models.habit import WEEKDAYS, BestHour, BestWeekday, Habits, PreferredCountry, PreferredProduct
from models.spread import Spread
from training.workspace import Workspace

Values = NDArray[np.float64]
Counts = NDArray[np.int64]
Describe = Callable[[Sequence[str]], Mapping[str, str]]
_Named = tuple[str, dict[str, Any]]  # a name, and its customers, share and lifts

FEWEST = 5  # a country or product of fewer members says nothing of the segment
MOST_COUNTRIES = 5
MOST_PRODUCTS = 10
MOST_ASKED = 10_000  # products; rarer ones are too rare to tell, and this bounds memory
LEVEL = 0.05
QUARTILES = (0.25, 0.5, 0.75)
PER_ORDER = ("lines", "units", "products", "value")
HOUR = DAY / 24
MONDAY = 4 * DAY  # 1970-01-05, the first Monday of the clock


@dataclass(frozen=True, slots=True)
class Bought:
    """What the members of all segments bought, stored in the workspace, so that every question is one small query.

    `lines` has customer, segment, order, product, quantity, value and at (seconds UTC). `orders` has a row per order
    with segment, at (of its first line), lines, units, products (null where it names none) and value. `buyers` has
    segment, product, customers (members who bought it) and everyone (all customers who did).
    """

    lines: Table
    orders: Table
    buyers: Table

    @classmethod
    def of(cls, lines: Table, workspace: Workspace) -> "Bought":
        """Store the lines (those of Ibis table `lines`, each with its customer's segment) and what follows of them."""

        def stored(stem: str, table: Table) -> Table:
            kept: Table = workspace.backend.create_table(workspace.name(stem), table, temp=True)
            return kept

        columns = ("customer", "segment", "order", "product", "quantity", "value", "at")
        lines = stored("bought", lines.select(*columns))
        pairs = lines.filter(row["product"].notnull()).select("customer", "segment", "product").distinct()
        counted = stored("counted", pairs.group_by(["segment", "product"]).agg(customers=row.count()))
        everyone = counted.group_by("product").agg(everyone=row.customers.sum())
        return cls(lines, stored("orders", _orders(lines)), stored("buyers", counted.inner_join(everyone, "product")))


def habits(
    bought: Bought, segment_ids: NDArray[np.int64], countries: Sequence[str | None], describe: Describe
) -> dict[int, Habits]:
    """The habits of each segment that has a member.

    `segment_ids`, shape (n,), and the n `countries` are of all customers whose lines `bought` has; `describe` gives
    product codes their descriptions.
    """
    sizes = Counter(segment_ids.tolist())
    baskets = _baskets(bought.orders)
    times, timed = _times(bought.orders, sorted(sizes))
    preferred_countries = _countries(segment_ids, countries, sizes)
    preferred, distinctive = _products(bought.buyers, sizes, describe)
    everyone = np.sum(list(times.values()), axis=0)
    return {
        one: Habits(
            **baskets[one],
            orders_by_weekday=tuple(np.sum(times[one], axis=1).tolist()),
            best_weekday=_best_weekday(np.sum(times[one], axis=1), np.sum(everyone, axis=1)),
            orders_by_hour=tuple(np.sum(times[one], axis=0).tolist()) if timed else None,
            best_hour=_best_hour(np.sum(times[one], axis=0), np.sum(everyone, axis=0)) if timed else None,
            preferred_countries=preferred_countries.get(one, ()),
            preferred_products=preferred.get(one, ()),
            distinctive_products=distinctive.get(one, ()),
        )
        for one in sorted(sizes)
    }


def _orders(lines: Table) -> Table:
    # by product first, so that counting different products needs no set per order
    by_product = lines.group_by(["customer", "segment", "order", "product"]).agg(
        first_at=row["at"].min(), lines=row.count(), units=row.quantity.sum(), value=row.value.sum()
    )  # fmt: skip
    orders = by_product.group_by(["customer", "segment", "order"]).agg(
        first_at=row.first_at.min(), lines=row.lines.sum(), units=row.units.sum().round(DECIMALS),
        products=row["product"].count().nullif(0), value=row.value.sum().round(DECIMALS),
    )  # fmt: skip
    return orders.select("segment", *PER_ORDER, at=row.first_at)


def _baskets(orders: Table) -> dict[int, dict[str, Any]]:
    """Per segment how many orders there are, and the quartiles of what one has: the first fields of `Habits`."""
    quartiles = {name: orders[name].quantile(list(QUARTILES)) for name in PER_ORDER}
    found = orders.group_by("segment").agg(orders=row.count(), **quartiles).to_pyarrow().to_pylist()
    return {
        one["segment"]: {
            "orders": one["orders"],
            "lines_per_order": _spread(one["lines"]),
            "units_per_order": _spread(one["units"]),
            "products_per_order": _spread(one["products"]) if one["products"] else None,
            "order_value": _spread(one["value"], 2),
        }
        for one in found
    }


def _spread(quartiles: Sequence[float], decimals: int = DECIMALS) -> Spread:
    q1, median, q3 = (round(value, decimals) for value in quartiles)
    return Spread(median=median, q1=q1, q3=q3)


def _times(orders: Table, segments: Sequence[int]) -> tuple[dict[int, Counts], bool]:
    """Per segment its orders by weekday and hour, shape (7, 24), and whether any order has a time of day."""
    day, hour = ((row["at"] - MONDAY) / DAY).floor(), (row["at"] / HOUR).floor()
    placed = orders.select(
        "segment", weekday=day - 7 * (day / 7).floor(), hour=hour - 24 * (hour / 24).floor(),
        timed=row["at"] > DAY * (row["at"] / DAY).floor(),
    )  # fmt: skip
    counted = placed.group_by(["segment", "weekday", "hour"]).agg(orders=row.count(), timed=row.timed.any())
    times = {one: np.zeros((7, 24), dtype=np.int64) for one in segments}
    found = counted.to_pyarrow().to_pylist()
    for one in found:
        times[one["segment"]][int(one["weekday"]), int(one["hour"])] = one["orders"]
    return times, any(one["timed"] for one in found)


def _best_weekday(orders: Counts, everyone: Counts) -> BestWeekday:
    best, share, lift = _best(orders, everyone)
    return BestWeekday(weekday=WEEKDAYS[best], orders=int(orders[best]), share=share, lift=lift)


def _best_hour(orders: Counts, everyone: Counts) -> BestHour:
    best, share, lift = _best(orders, everyone)
    return BestHour(hour=best, orders=int(orders[best]), share=share, lift=lift)


def _best(orders: Counts, everyone: Counts) -> tuple[int, float, float]:
    """Where most orders are, of equals the first; their share, and its lift over the share among everyone's."""
    best = int(np.argmax(orders))
    share = int(orders[best]) / int(np.sum(orders))
    return best, round(share, 6), round(share / (int(everyone[best]) / int(np.sum(everyone))), 4)


@dataclass(frozen=True, slots=True)
class _Asked:
    """For n segments and names how many members of the segment have the name, and all customers; arrays of shape (n,).

    `asked` is of how many names it was asked, those included that too few members have to be here.
    """

    segment: NDArray[np.int64]
    names: Sequence[str]
    customers: Counts
    everyone: Counts
    asked: int


def _countries(
    segment_ids: NDArray[np.int64], countries: Sequence[str | None], sizes: Mapping[int, int]
) -> dict[int, tuple[PreferredCountry, ...]]:
    everyone = Counter(country for country in countries if country)
    counted = Counter(zip(segment_ids.tolist(), countries, strict=True))
    pairs = sorted((one, country) for (one, country), count in counted.items() if country and count >= FEWEST)
    asked = _Asked(
        segment=np.array([one for one, _ in pairs], dtype=np.int64),
        names=[country for _, country in pairs],
        customers=np.array([counted[pair] for pair in pairs], dtype=np.int64),
        everyone=np.array([everyone[country] for _, country in pairs], dtype=np.int64),
        asked=sum(count >= FEWEST for count in everyone.values()),
    )
    preferred = _preferred(asked, sizes, MOST_COUNTRIES)
    return {
        one: tuple(PreferredCountry(country=name, **figures) for name, figures in found)
        for one, found in preferred.items()
    }


def _products(
    buyers: Table, sizes: Mapping[int, int], describe: Describe
) -> tuple[dict[int, tuple[PreferredProduct, ...]], dict[int, tuple[PreferredProduct, ...]]]:
    """The preferred products of each segment, and the distinctive ones."""
    asked = _asked_products(buyers)
    choices = buyers.group_by("segment").agg(choices=row.customers.sum()).to_pyarrow().to_pylist()
    by_members = _preferred(asked, sizes, MOST_PRODUCTS)
    by_choices = _preferred(asked, {one["segment"]: one["choices"] for one in choices}, MOST_PRODUCTS)
    named = [*by_members.values(), *by_choices.values()]
    described = describe(sorted({name for found in named for name, _ in found}))

    def products(preferred: Mapping[int, list[_Named]]) -> dict[int, tuple[PreferredProduct, ...]]:
        return {
            one: tuple(
                PreferredProduct(product=name, description=described.get(name), **figures) for name, figures in found
            )
            for one, found in preferred.items()
        }

    return products(by_members), products(by_choices)


def _asked_products(buyers: Table) -> _Asked:
    most = buyers.filter(row.everyone >= FEWEST).select("product", "everyone").distinct()
    most = most.order_by([row.everyone.desc(), row["product"].asc()]).limit(MOST_ASKED).select("product")
    most = most.mutate(asked=row.count().over(ibis.window()))
    counted = buyers.filter(row.customers >= FEWEST).inner_join(most, "product")
    found = counted.order_by(["segment", "product"]).to_pyarrow()
    return _Asked(
        segment=found["segment"].to_numpy(),
        names=found["product"].to_pylist(),
        customers=found["customers"].to_numpy(),
        everyone=found["everyone"].to_numpy(),
        asked=found["asked"][0].as_py() if len(found) else 0,
    )


def _preferred(asked: _Asked, sizes: Mapping[int, int], most: int) -> dict[int, list[_Named]]:
    """Per segment the names whose lift is certainly over 1, the most certain lift first, and their figures.

    `sizes`, by segment, are what shares in the segments are of; their sum is what shares among all customers are of.
    """
    size = np.array([sizes[one] for one in asked.segment.tolist()], dtype=np.int64)
    overall = asked.everyone / sum(sizes.values())
    share = asked.customers / size
    low = np.round(_share_at_least(asked.customers, size, asked.asked) / overall, 4)
    found: dict[int, list[_Named]] = {}
    for index in np.lexsort((np.arange(len(low)), -asked.customers, -low)).tolist():
        named = found.setdefault(int(asked.segment[index]), [])
        if low[index] > 1 and len(named) < most:
            figures = {
                "customers": int(asked.customers[index]),
                "share": round(float(share[index]), 6),
                "lift": round(float(share[index] / overall[index]), 4),
                "lift_at_least": float(low[index]),
            }
            named.append((asked.names[index], figures))
    return found


def _share_at_least(count: Counts, size: Counts, asked: int) -> Values:
    """Low ends of the exact 95 % intervals of the shares `count / size` (Clopper and Pearson 1934), shape (n,).

    For all `asked` together (Bonferroni): of thousands of products, dozens would look preferred by chance alone. Exact,
    because at such levels intervals by the normal curve, Wilson's too, start too high for a handful of members.
    """
    low = betaincinv(count, size - count + 1.0, LEVEL / 2 / max(asked, 1))
    return np.asarray(low, dtype=np.float64)
