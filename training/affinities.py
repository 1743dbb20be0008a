"""Mining of `models.affinity.ProductAffinities` from the purchase lines that were kept.

Memory is bounded whatever the shop's size: at most MOST_CUSTOMERS customers (a uniform sample has the same shares to
within a percent), of each at most MOST_HELD products for the pairs (else a reseller with thousands would make
millions of pairs that say little), and the MOST_PRODUCTS most bought products (the inverse of their matrix is 128 MB).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
from ibis import Table
from ibis import _ as row
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse import csr_array

from models.affinity import NEIGHBOURS, ProductAffinities, SegmentProducts
from models.features import DAY
from training.workspace import Workspace

Values = NDArray[np.float64]
Codes = NDArray[np.int32]

MOST_CUSTOMERS = 50_000
MOST_PRODUCTS = 4_000
MOST_HELD = 300
FEWEST_BUYERS = 5  # a product fewer bought is neither recommended nor evidence
FEWEST_TOGETHER = 3  # a pair fewer customers bought is chance, and would tell of single people
# Customers a product needs to outweigh the doubt in its pairs. Steck (2019) finds 200 to 1,000 best on three data
# sets of 10⁵ customers and more, with little between; shops have fewer.
REGULARISATION = 300.0
RECENT = 28 * DAY  # whole weeks, so that every weekday counts alike
LONGEST_DESCRIPTION = 80


@dataclass(frozen=True, slots=True)
class Orders:
    """Which customer bought which product in which order; every array has shape (n,), each triple once.

    `customer` indexes `customers` (and `segment_ids`), `product` indexes `products`, which ascend. `place` is the
    order's place among the customer's, from 0; `last` its place from the last, which has 0; `at` is in seconds UTC.
    """

    customers: Sequence[str]
    segment_ids: NDArray[np.int64]
    products: Sequence[str]
    descriptions: Mapping[str, str]
    customer: Codes
    product: Codes
    place: Codes
    last: Codes
    at: Values

    def only(self, chosen: NDArray[np.bool_]) -> "Orders":
        """The rows where `chosen` (shape (n,)) is true, with places as they were."""
        columns = {name: getattr(self, name)[chosen] for name in ("customer", "product", "place", "last", "at")}
        return replace(self, **columns)


def orders_of(
    purchases: Table, lines: Table, customers: Sequence[str], segment_ids: NDArray[np.int64], seed: int,
    workspace: Workspace,
) -> Orders:  # fmt: skip
    """The orders in the purchase lines of `customers`, whose segments are `segment_ids` (shape (n,)).

    An order is one invoice, or one moment where a line has no invoice. `lines` are those read, for descriptions.
    """
    chosen = _sample(customers, seed)
    ids = [customers[index] for index in chosen.tolist()]
    listed = pa.table({"customer": pa.array(ids, pa.string()), "code": np.arange(len(ids), dtype=np.int32)})
    codes = workspace.backend.create_table(workspace.name("listed"), ibis.memtable(listed), temp=True)
    mine = purchases.inner_join(codes, "customer")
    placed = workspace.store("orders", _placed(mine), temp=True)
    bought = mine.filter(row["product"].notnull()).select("code", "order", "product").distinct()
    bought = bought.inner_join(placed, ["code", "order"]).order_by(["code", "place", "product"])
    table = bought.select("code", "product", "place", "last", "at").to_pyarrow()
    names, product = _coded(table["product"])
    return Orders(
        customers=ids,
        segment_ids=np.asarray(segment_ids, dtype=np.int64)[chosen],
        products=names,
        descriptions=_descriptions(lines),
        customer=table["code"].to_numpy().astype(np.int32),
        product=product,
        place=table["place"].to_numpy().astype(np.int32),
        last=table["last"].to_numpy().astype(np.int32),
        at=table["at"].to_numpy().astype(np.float64),
    )


def _sample(customers: Sequence[str], seed: int) -> NDArray[np.intp]:
    """Positions of the customers to mine, in ascending order of the customer, whatever order they come in."""
    ascending = np.argsort(np.array(customers, dtype=object), kind="stable")
    if len(ascending) <= MOST_CUSTOMERS:
        return ascending
    kept = np.random.default_rng(seed).choice(len(ascending), MOST_CUSTOMERS, replace=False)
    return ascending[np.sort(kept)]


def _placed(lines: Table) -> Table:
    """Each order of each customer (`code`) with its time and its place from the first and from the last."""
    orders = lines.group_by(["code", "order"]).agg(at=row["at"].max())
    forth = ibis.row_number().over(group_by="code", order_by=[orders["at"].asc(), orders.order.asc()])
    back = ibis.row_number().over(group_by="code", order_by=[orders["at"].desc(), orders.order.desc()])
    return orders.mutate(place=forth, last=back)


def _coded(column: Any) -> tuple[list[str], Codes]:
    """The distinct values in ascending order, and the index of each row's among them."""
    encoded = column.combine_chunks().dictionary_encode()
    names: list[str] = encoded.dictionary.to_pylist()
    ascending = sorted(range(len(names)), key=names.__getitem__)
    rank = np.empty(len(names), dtype=np.int32)
    rank[ascending] = np.arange(len(names), dtype=np.int32)
    return [names[index] for index in ascending], rank[encoded.indices.to_numpy()]


def _descriptions(lines: Table) -> dict[str, str]:
    """The most frequent description of each product; of equals the first in the alphabet."""
    if not {"product", "description"} <= set(lines.columns):
        return {}
    told = lines.filter(row["product"].notnull() & row.description.notnull())
    counted = told.group_by(["product", "description"]).agg(times=row.count())
    order = ibis.row_number().over(group_by="product", order_by=[counted.times.desc(), counted.description.asc()])
    best = counted.mutate(nth=order).filter(row.nth == 0).select("product", "description").to_pyarrow()
    texts = (text.strip()[:LONGEST_DESCRIPTION] for text in best["description"].to_pylist())
    return dict(zip(best["product"].to_pylist(), texts, strict=True))


def mine(orders: Orders, as_of: float) -> ProductAffinities:
    """The affinities of the products in `orders`, with what sold in the weeks before `as_of` (seconds UTC)."""
    holdings = _holdings(orders)
    customers = len(np.unique(orders.customer))
    bought = np.bincount(holdings.product, minlength=len(orders.products))
    order = np.lexsort((np.arange(len(bought)), -bought))[:MOST_PRODUCTS]
    kept = np.sort(order[bought[order] >= FEWEST_BUYERS])
    p = len(kept)
    column = np.full(len(orders.products), -1, dtype=np.int32)
    column[kept] = np.arange(p, dtype=np.int32)
    listed = column[holdings.product] >= 0
    again = np.bincount(column[holdings.product[listed]], holdings.times[listed] >= 2, minlength=p)
    matrix = _capped(orders, holdings, column, p)
    together = _together(matrix)
    neighbours, scores = _neighbours(together)
    names = [orders.products[index] for index in kept.tolist()]
    return ProductAffinities(
        customers=customers,
        products=tuple(names),
        descriptions=tuple(orders.descriptions.get(name) or None for name in names),
        buyers=tuple(bought[kept].tolist()),
        repeat_buyers=tuple(again.astype(int).tolist()),
        recent=tuple(recent(orders, names, as_of).astype(int).tolist()),
        neighbours=neighbours,
        support=_support(together, neighbours),
        scores=scores,
        segments={
            one: _within(orders, holdings, column, matrix, one, neighbours)
            for one in sorted(set(orders.segment_ids.tolist()))
        },
    )


def recent(orders: Orders, products: Sequence[str], as_of: float) -> Values:
    """In how many orders of the last RECENT before `as_of` each of `products` was bought, shape (p,)."""
    position = {name: index for index, name in enumerate(orders.products)}
    inside = (orders.at >= as_of - RECENT) & (orders.at < as_of)
    counted = np.bincount(orders.product[inside], minlength=len(orders.products)).astype(np.float64)
    return counted[[position[name] for name in products]]


@dataclass(frozen=True, slots=True)
class Holdings:
    """What each customer has bought, each product once: in how many orders, and the place of the last of them."""

    customer: Codes
    product: Codes
    times: Codes
    place: Codes


def _holdings(orders: Orders) -> Holdings:
    by = np.lexsort((orders.place, orders.product, orders.customer))
    customer, product, place = orders.customer[by], orders.product[by], orders.place[by]
    starts = np.flatnonzero(np.diff(customer, prepend=-1) | np.diff(product, prepend=-1))
    ends = np.append(starts, len(by))[1:]
    return Holdings(customer[starts], product[starts], (ends - starts).astype(np.int32), place[ends - 1])


def _capped(orders: Orders, holdings: Holdings, column: Codes, p: int) -> csr_array:
    """Customers × products, 1 where bought; of each customer the MOST_HELD products bought last."""
    listed = column[holdings.product] >= 0
    customer, product, place = holdings.customer[listed], column[holdings.product[listed]], holdings.place[listed]
    by = np.lexsort((product, -place, customer))
    customer, product = customer[by], product[by]
    first = np.searchsorted(customer, customer)
    within = np.arange(len(customer)) - first < MOST_HELD
    # float32 counts exactly up to 16 million customers
    ones = np.ones(int(np.count_nonzero(within)), dtype=np.float32)
    return csr_array((ones, (customer[within], product[within])), shape=(len(orders.customers), p))


def _together(matrix: csr_array) -> NDArray[np.float32]:
    """Customers who bought both, for each two products (p × p); on the diagonal those who bought one."""
    counted: NDArray[np.float32] = (matrix.T @ matrix).toarray()
    return counted


def _neighbours(together: NDArray[np.float32]) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[float, ...], ...]]:
    """Of each product the NEIGHBOURS others with the greatest weight, and these weights.

    The weights are those that best tell each product of a basket from all others of it, in least squares with
    REGULARISATION (EASE, Steck 2019): -P[i, j] / P[j, j] with P the inverse of the regularised counts. Unlike a
    plain ratio of counts they do not credit i with what another product that is bought with i explains better.
    """
    p = len(together)
    if not p:
        return (), ()
    counts = together.astype(np.float64)
    counts[np.diag_indices(p)] += REGULARISATION
    factor, failed = lapack.dpotrf(counts.T, lower=1, overwrite_a=1)
    inverse, singular = lapack.dpotri(factor, lower=1, overwrite_c=1)
    if failed or singular:
        raise ArithmeticError("the counts of pairs have no inverse, which a positive diagonal rules out")
    diagonal = np.diag(inverse).copy()
    chosen, weights = [], []
    for index in range(p):
        # only the lower triangle is filled
        against = np.concatenate((inverse[index, :index], inverse[index:, index]))
        weight = np.where(together[index] >= FEWEST_TOGETHER, -against / diagonal, 0.0).round(4)
        weight[index] = 0.0
        best = np.argsort(-weight, kind="stable")[:NEIGHBOURS]
        best = best[weight[best] > 0]
        chosen.append(tuple(best.tolist()))
        weights.append(tuple(weight[best].tolist()))
    return tuple(chosen), tuple(weights)


def _support(together: NDArray[np.float32], neighbours: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(together[index, list(others)].astype(int).tolist()) for index, others in enumerate(neighbours))


def _within(
    orders: Orders, holdings: Holdings, column: Codes, matrix: csr_array, segment_id: int,
    neighbours: Sequence[Sequence[int]],
) -> SegmentProducts:  # fmt: skip
    """The same counts among the members of one segment, for the pairs that are named."""
    member = orders.segment_ids == segment_id
    inside = member[holdings.customer] & (column[holdings.product] >= 0)
    p = matrix.shape[1]
    return SegmentProducts(
        customers=int(np.count_nonzero(member[np.unique(orders.customer)])),
        buyers=tuple(np.bincount(column[holdings.product[inside]], minlength=p).tolist()),
        support=_support(_together(matrix[np.flatnonzero(member)]), neighbours),
    )
