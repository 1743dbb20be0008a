"""What is in each order: products of a few families, in the shopper's usual quantities."""

import numpy as np

from training.demo.catalogue import Catalogue
from training.demo.clock import Ints
from training.demo.ledger import Invoices, Lines
from training.demo.shoppers import FAVOURITES, QUANTITIES, Shoppers

MOST_LINES = 500
MOST_FAMILIES = 8
LINES_PER_FAMILY = 6
FAVOURITE_SHARE = 0.6  # of a basket's families: one the shopper likes, not one that is just popular
FAMILY_SHARE = 0.8  # of the lines: from the basket's families, not from the whole shop
# Rungs of QUANTITIES a line lies from the shopper's usual one, and how often.
STEPS, STEP_SHARES = np.array((-2, -1, 0, 1, 2)), np.array((0.06, 0.12, 0.64, 0.13, 0.05))
DEAR_PENCE = (800, 2000)  # one rung lower from each of these prices on
BULK_PIECES = 48
SLIP_CHANCE, SLIP_PIECES = 5e-6, 10_000  # a line typed in with thousands of pieces too many
GIFT_CHANCE = 1e-4


def fill_baskets(rng: np.random.Generator, orders: Invoices, shoppers: Shoppers, catalogue: Catalogue) -> Lines:
    """The lines of `orders`, sorted by order, no product twice in one."""
    size = shoppers.basket[orders.shopper] * np.exp(shoppers.spread[orders.shopper] * rng.standard_normal(len(orders)))
    wanted = np.clip(size, 1, MOST_LINES).astype(np.int64)
    order = np.repeat(np.arange(len(orders)), wanted)
    order, product = _once_each(order, _products(rng, orders, wanted, order, shoppers, catalogue))
    quantity = _quantities(rng, shoppers.rung[orders.shopper[order]], catalogue.pence[product])
    pence = np.where(quantity >= BULK_PIECES, catalogue.bulk_pence[product], catalogue.pence[product])
    pence[rng.random(len(pence)) < GIFT_CHANCE] = 0
    return Lines(invoice=order, code=product, description=product, quantity=quantity, pence=pence)


def _products(
    rng: np.random.Generator, orders: Invoices, wanted: Ints, order: Ints, shoppers: Shoppers, catalogue: Catalogue
) -> Ints:
    shape = (len(orders), MOST_FAMILIES)
    liked = np.take_along_axis(shoppers.favourites[orders.shopper], rng.integers(FAVOURITES, size=shape), axis=1)
    families = np.where(rng.random(shape) < FAVOURITE_SHARE, liked, catalogue.any_family(rng, shape))
    several = np.minimum(1 + wanted // LINES_PER_FAMILY, MOST_FAMILIES)
    family = families[order, (rng.random(len(order)) * several[order]).astype(np.int64)]
    stray = rng.random(len(order)) >= FAMILY_SHARE
    product = catalogue.products_of(rng, family)
    product[stray] = catalogue.any_product(rng, int(stray.sum()))
    return product


def _once_each(order: Ints, product: Ints) -> tuple[Ints, Ints]:
    """Drop a product's repetitions within an order, keeping the sequence."""
    products = int(np.max(product)) + 1
    _, first = np.unique(order * products + product, return_index=True)
    kept = np.sort(first)
    return order[kept], product[kept]


def _quantities(rng: np.random.Generator, usual: Ints, pence: Ints) -> Ints:
    step = STEPS[np.searchsorted(np.cumsum(STEP_SHARES)[:-1], rng.random(len(usual)), side="right")]
    rung = usual + step - np.searchsorted(DEAR_PENCE, pence, side="right")
    quantity: Ints = QUANTITIES[np.clip(rung, 0, len(QUANTITIES) - 1)]
    slip = rng.random(len(quantity)) < SLIP_CHANCE
    quantity[slip] = rng.integers(SLIP_PIECES, 8 * SLIP_PIECES, size=int(slip.sum()))
    return quantity
