"""Goods that come back: orders cancelled whole, and lines returned in part."""

from dataclasses import replace

import numpy as np

from training.demo.baskets import SLIP_PIECES
from training.demo.clock import Bools, Floats, Ints
from training.demo.ledger import PREFIXES, Invoices, Lines, Sheet

WHOLE_CHANCE = 0.006
# Shoppers differ in how often they return something from an order: Beta-distributed, 11 % on average.
RETURN_A, RETURN_B = 0.7, 5.5
FEWER_LINES = 0.6  # parameter of the geometric number of lines in a partial return
SOON, LATER = 0.02, 8.0  # mean trading days until goods are sent back: a mistake noticed, or goods looked at


def send_back(rng: np.random.Generator, sales: Sheet, shoppers: int, total: float) -> Sheet:
    """The cancellations of `sales`, whose lines are sorted by invoice; each takes place after its sale.

    A whole cancellation repeats every line of its order with the opposite quantity; a partial return takes
    some of the pieces of one or a few lines. No order has both. What would come back after `total` is not seen.
    """
    size = len(sales.invoices)
    slip = np.bincount(sales.lines.invoice, sales.lines.quantity >= SLIP_PIECES, minlength=size) > 0
    whole = slip | (rng.random(size) < WHOLE_CHANCE)
    keenness = rng.beta(RETURN_A, RETURN_B, size=shoppers)[sales.invoices.shopper]
    partial = ~whole & (rng.random(size) < keenness)
    moment = _when(rng, sales.invoices.moment, slip, total)
    seen = moment <= total
    return Sheet.joined(
        [
            _cancelled(sales, moment, whole & seen, *_whole(sales.lines, whole & seen)),
            _cancelled(sales, moment, partial & seen, *_partial(rng, sales.lines, partial & seen)),
        ]
    )


def _when(rng: np.random.Generator, bought: Floats, slip: Bools, total: float) -> Floats:
    soon = slip | (rng.random(len(bought)) < 0.3)
    moment = bought + rng.exponential(np.where(soon, SOON, LATER))
    return np.where(slip, np.minimum(moment, total), moment)


def _whole(lines: Lines, chosen: Bools) -> tuple[Ints, Ints]:
    """Places of the lines sent back, and the pieces of each."""
    at = np.flatnonzero(chosen[lines.invoice])
    return at, lines.quantity[at]


def _partial(rng: np.random.Generator, lines: Lines, chosen: Bools) -> tuple[Ints, Ints]:
    """Places of the lines sent back, different ones of each chosen order, and the pieces of each."""
    order = np.flatnonzero(chosen)
    start = np.searchsorted(lines.invoice, order)
    count = np.searchsorted(lines.invoice, order, side="right") - start
    picked = np.minimum(rng.geometric(FEWER_LINES, size=len(order)), count)
    from_line = (rng.random(len(order)) * count).astype(np.int64)
    nth = np.arange(picked.sum()) - np.repeat(np.cumsum(picked) - picked, picked)
    at = np.repeat(start, picked) + (np.repeat(from_line, picked) + nth) % np.repeat(count, picked)
    return at, np.ceil(lines.quantity[at] * rng.random(len(at))).astype(np.int64)


def _cancelled(sales: Sheet, moment: Floats, chosen: Bools, at: Ints, pieces: Ints) -> Sheet:
    order = np.flatnonzero(chosen)
    back = sales.lines.taken(at)
    invoices = Invoices(
        shopper=sales.invoices.shopper[order],
        moment=moment[order],
        prefix=np.full(len(order), PREFIXES.index("C")),
    )
    return Sheet(invoices, replace(back, invoice=np.searchsorted(order, back.invoice), quantity=-pieces))
