"""How good the recommendations are: the last order of each customer held out, and guessed from all that is left.

The recommender is asked as the service asks it. Its curves are fitted to the orders before the last, so that the
last ones, which it is measured by, have a part in nothing: neither in the pairs, nor in popularity, nor in the
curves. Only other customers' earlier and later orders are known together, as in any hold-out by customer, but for
what sold lately, which is counted before the held-out order's own time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.affinity import Chances, ProductAffinities
from models.bought import Bought
from models.hit_rate import HitRates, RecommendationRecord, Share
from models.product_advisor import COUNT, ProductAdvisor
from training.affinities import Orders, mine, recent

Values = NDArray[np.float64]

MOST_HELD_OUT = 20_000  # customers measured; the interval is then ± 0.7 % at most
MOST_FITTED = 4_000  # customers the curves are fitted to: some 10⁵ repeats for five coefficients
FEWEST_HITS = 50  # bought products a curve needs; with fewer the usual one is kept
MOMENTS = 50  # groups of held-out orders by time, each with its own count of what sold lately
RESAMPLES = 1_000
RULE = (
    "Of each customer with two or more orders the last order is held out; affinities, popularity and curves are made "
    f"from the rest. A hit is a held-out order with at least one of {COUNT} recommended products. For new products "
    "only those count that the customer had not bought, and customers whose order has none are left out. Popularity "
    "is by number of orders. Intervals are 95 % bootstrap intervals over customers."
)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One customer: the segment, what was bought before, and the products of the order held out."""

    segment_id: int
    bought: dict[str, Bought]
    then: frozenset[str]


def recommender(orders: Orders, as_of: float, seed: int) -> ProductAffinities:
    """The affinities of all orders at `as_of` (seconds UTC), with curves fitted to each customer's last order."""
    chances = _fitted(orders, 0, seed)
    return mine(orders, as_of).model_copy(update={"chances": chances})


def measure(orders: Orders, seed: int) -> RecommendationRecord | None:
    """The hit rates of the recommender and of what it must be better than. None where no customer came twice."""
    chances = _fitted(orders, 1, seed)
    before = _before(orders, 0)
    mined = mine(before, _end(before)).model_copy(update={"chances": chances})
    advisor, rank = ProductAdvisor.of(mined), _by_popularity(before)
    hits = [
        _hits(one, at, rank)
        for at, those in _by_moment(orders, before, 0, MOST_HELD_OUT, seed, advisor)
        for one in those
    ]
    if not hits:
        return None
    every, new = np.array([one[:4] for one in hits]), np.array([one[4:] for one in hits])
    has_new = new[:, 0] >= 0
    if not has_new.any():
        return None
    return RecommendationRecord(
        rule=RULE, at=COUNT, held_out=len(hits), seed=seed,
        all=_rates(every, seed, own=True), new=_rates(new[has_new], seed, own=False),
    )  # fmt: skip


def _before(orders: Orders, held: int) -> Orders:
    """What is left for mining where each customer's order `held` from the last, and all later ones, are held out.

    A first order is never held out: nothing would be known of the customer.
    """
    return orders.only((orders.last > held) | (orders.place == 0))


def _end(orders: Orders) -> float:
    return float(np.max(orders.at, initial=0.0)) + 1.0


def _fitted(orders: Orders, held: int, seed: int) -> Chances:
    """The curves that best tell what the orders `held` from the last had, from what was bought before them."""
    before = _before(orders, held)
    mined = mine(before, _end(before))
    usual, advisor = Chances(), ProductAdvisor.of(mined)
    parts: dict[str, list[tuple[Values, NDArray[np.bool_]]]] = {"repeat": [], "fresh": []}
    for at, those in _by_moment(orders, before, held, MOST_FITTED, seed, advisor):
        for one in those:
            basket = at.basket(one.bought)
            for kind, (rows, made_of) in (("repeat", at.repeats(basket)), ("fresh", at.fresh(basket))):
                then = np.array([mined.products[row] in one.then for row in rows.tolist()], dtype=bool)
                parts[kind].append((made_of, then))
    curves = {
        kind: _curve([made for made, _ in found], [then for _, then in found])
        for kind, found in parts.items() if found
    }  # fmt: skip
    return usual.model_copy(update={kind: curve for kind, curve in curves.items() if curve is not None})


def _curve(made_of: Sequence[Values], then: Sequence[NDArray[np.bool_]]) -> tuple[float, ...] | None:
    """A logistic regression's coefficients, the constant last; None where too little was bought to fit one."""
    x, y = np.concatenate(made_of), np.concatenate(then)
    hits = int(np.count_nonzero(y))
    if not FEWEST_HITS <= hits <= len(y) - FEWEST_HITS:
        return None
    model = LogisticRegression(max_iter=1_000).fit(x, y)
    return tuple(np.append(model.coef_[0], model.intercept_).round(4).tolist())


def _by_moment(
    orders: Orders, before: Orders, held: int, most: int, seed: int, advisor: ProductAdvisor
) -> Iterator[tuple[ProductAdvisor, list[HeldOut]]]:
    """Held-out customers in groups by time, each with the advisor as it was at the group's first moment."""
    there = orders.only((orders.last == held) & (orders.place > 0))
    customers, first = np.unique(there.customer, return_index=True)
    if len(customers) > most:
        kept = np.sort(np.random.default_rng(seed).choice(len(customers), most, replace=False))
        customers, first = customers[kept], first[kept]
    if not len(customers):
        return
    moment = there.at[first]
    by_time = np.lexsort((customers, moment))
    for group in np.array_split(by_time, min(MOMENTS, len(by_time))):
        sold = recent(before, advisor.products, float(moment[group[0]]))
        yield advisor.as_sold(sold), [_held_out(there, before, int(one)) for one in customers[group].tolist()]


def _held_out(there: Orders, before: Orders, customer: int) -> HeldOut:
    # rows are in ascending order of the customer, and within of the order's place
    low, high = _rows_of(before, customer)
    bought: dict[str, Bought] = {}
    for product, at in zip(before.product[low:high].tolist(), before.at[low:high].tolist(), strict=True):
        name = before.products[product]
        bought[name] = Bought(bought[name].orders + 1 if name in bought else 1, at)
    low, high = _rows_of(there, customer)
    then = frozenset(there.products[product] for product in there.product[low:high].tolist())
    return HeldOut(int(before.segment_ids[customer]), bought, then)


def _rows_of(orders: Orders, customer: int) -> tuple[int, int]:
    # of the column's own type, or the whole column would be converted
    ends = np.array((customer, customer + 1), dtype=orders.customer.dtype)
    low, high = np.searchsorted(orders.customer, ends).tolist()
    return low, high


def _by_popularity(orders: Orders) -> dict[str, int]:
    """The products, those in most orders first, each with its rank."""
    times = np.bincount(orders.product, minlength=len(orders.products))
    best = np.argsort(-times, kind="stable")[: int(np.count_nonzero(times))]
    return {orders.products[index]: rank for rank, index in enumerate(best.tolist())}


def _hits(one: HeldOut, advisor: ProductAdvisor, rank: Mapping[str, int]) -> list[int]:
    """Whether each method hits: popularity, own repeats, pair affinity, recommender; all products, then new ones.

    `rank` are the products by popularity, each with its rank. -1 for new products where the order has none.
    """
    new = one.then - one.bought.keys()
    unknown = [product for product in islice(rank, COUNT + len(one.bought)) if product not in one.bought]
    most = sorted(one.bought, key=lambda product: (-one.bought[product].orders, rank.get(product, len(rank)), product))
    pairs = [*_pairs(one, advisor), *unknown]
    served = advisor.recommend(one.bought, one.segment_id, COUNT)
    served_new = advisor.recommend(one.bought, one.segment_id, COUNT, new_only=True)
    lists = (rank, [*most, *unknown], pairs, [product.product for product in served])
    lists_new: tuple[Iterable[str], ...] = (unknown, [], pairs, [product.product for product in served_new])
    return [
        *(int(not one.then.isdisjoint(_first(products))) for products in lists),
        *(int(not new.isdisjoint(_first(products))) if new else -1 for products in lists_new),
    ]


def _first(products: Iterable[str]) -> list[str]:
    return list(islice(dict.fromkeys(products), COUNT))


def _pairs(one: HeldOut, advisor: ProductAdvisor) -> list[str]:
    affinity = advisor.affinity(advisor.basket(one.bought))
    best = np.argsort(-affinity, kind="stable")[:COUNT]
    return [advisor.products[index] for index in best.tolist() if affinity[index] > 0]


def _rates(hits: NDArray[np.intp], seed: int, own: bool) -> HitRates:
    """Rates of the methods in the columns of `hits` (n × 4), with percentile bootstrap intervals (Efron 1979)."""
    n = len(hits)
    random = np.random.default_rng(seed)
    means = np.array([np.mean(hits[random.integers(0, n, n)], axis=0) for _ in range(RESAMPLES)])
    popularity, repeats, pairs, recommended = (
        _share(float(value), means[:, index]) for index, value in enumerate(np.mean(hits, axis=0))
    )
    ratios = means[:, 3] / np.maximum(means[:, 0], 1 / n)
    return HitRates(
        customers=n,
        popularity=popularity,
        own_repeats=repeats if own else None,
        pair_affinity=pairs,
        recommender=recommended,
        times_popularity=_share(recommended.value / popularity.value, ratios) if popularity.value > 0 else None,
    )


def _share(value: float, resampled: Values) -> Share:
    low, high = np.quantile(resampled, (0.025, 0.975)).tolist()
    return Share(value=round(value, 4), low=round(low, 4), high=round(high, 4))
