"""Who buys in the demo shop: customers with a number, and guests without one."""

from dataclasses import dataclass

import numpy as np

from training.demo.catalogue import Catalogue
from training.demo.clock import Floats, Ints
from training.demo.columns import Columns
from training.demo.vocabulary import COUNTRIES

FIRST_NUMBER = 12_346
NO_NUMBER = 0
WHOLESALE_SHARE = 0.55
FAVOURITES = 4
# Pieces on a line. A shopper's usual number is one of these rungs, a line's a rung near it.
QUANTITIES = np.array((1, 2, 3, 4, 6, 12, 24, 48, 96, 144, 288, 576))
CONSUMER_RUNGS = np.array((0, 1, 2))  # 1, 2, 3
WHOLESALE_RUNGS = np.array((4, 5, 5, 6))  # 6, 12, 24


@dataclass(frozen=True)
class Shoppers(Columns):
    """One array element (or row) per shopper."""

    number: Ints  # customer number, or NO_NUMBER
    country: Ints  # place in COUNTRIES
    rung: Ints  # place in QUANTITIES of the usual pieces on a line
    basket: Floats  # median lines in a basket
    spread: Floats  # log standard deviation of the lines in a basket
    favourites: Ints  # families the shopper likes, shape (shoppers, FAVOURITES)

    @classmethod
    def customers(cls, rng: np.random.Generator, catalogue: Catalogue, first: int, size: int) -> "Shoppers":
        """`size` customers, the first of them the shop's number `first` from 0.

        One log-normal level per customer drives both the basket and the pieces on a line, so that spend is
        heavy-tailed and big spenders are big in both.
        """
        level = rng.standard_normal(size)
        wholesale = rng.random(size) < WHOLESALE_SHARE
        # Correlated with the level (0.8) but not fixed by it.
        place = np.clip((0.8 * level + 0.6 * rng.standard_normal(size) + 1.5) / 3.0, 0.0, 0.999)
        consumer_rung = CONSUMER_RUNGS[(place * len(CONSUMER_RUNGS)).astype(np.int64)]
        wholesale_rung = WHOLESALE_RUNGS[(place * len(WHOLESALE_RUNGS)).astype(np.int64)]
        return cls(
            number=FIRST_NUMBER + first + np.arange(size),
            country=_countries(rng, size),
            rung=np.where(wholesale, wholesale_rung, consumer_rung),
            basket=17.0 * np.exp(0.45 * level + 0.35 * rng.standard_normal(size)),
            spread=np.full(size, 0.70),
            favourites=catalogue.any_family(rng, (size, FAVOURITES)),
        )

    @classmethod
    def guests(cls, rng: np.random.Generator, catalogue: Catalogue, size: int) -> "Shoppers":
        """Shoppers without a number: many small web orders, and a marketplace's day in one invoice."""
        return cls(
            number=np.full(size, NO_NUMBER),
            country=_countries(rng, size),
            rung=rng.choice(CONSUMER_RUNGS, size=size, p=[0.8, 0.15, 0.05]),
            basket=np.full(size, 22.0),
            spread=np.full(size, 1.45),
            favourites=catalogue.any_family(rng, (size, FAVOURITES)),
        )


def _countries(rng: np.random.Generator, size: int) -> Ints:
    shares = np.array(list(COUNTRIES.values()))
    return rng.choice(len(shares), size=size, p=shares / shares.sum())
