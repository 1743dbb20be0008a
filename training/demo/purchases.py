"""When customers buy: the purchase process of the demo shop."""

from dataclasses import dataclass

import numpy as np

from training.demo.clock import Bools, Floats, Ints
from training.demo.columns import Columns

# BG/NBD (Fader, Hardie & Lee 2005, "Counting Your Customers" the Easy Way, Marketing Science 24(2)):
# while active a customer buys at rate λ ~ Gamma(r, α) per ordinary day, and becomes inactive after each
# repeat purchase with probability p ~ Beta(a, b). Chosen so that a year's orders per customer resemble the
# UCI Online Retail file's (there 4.3 on average, one only for a third of the customers, 209 at most).
R, ALPHA = 0.60, 28.0
A, B = 0.70, 2.4
# Customers who bought before the window opened have survived purchases already; given n survived
# purchases, p is distributed as Beta(a, b + n).
ESTABLISHED_SHARE = 0.45
SURVIVED = 4


@dataclass(frozen=True)
class Purchases(Columns):
    """One array element per order, sorted by customer, then time."""

    customer: Ints  # 0-based
    moment: Floats  # trading time

    @classmethod
    def draw(
        cls, rng: np.random.Generator, customers: int, total: float, *, established_share: float = ESTABLISHED_SHARE
    ) -> "Purchases":
        """Orders of `customers` over `total` trading days, at least one each.

        Given the first purchase, the later ones of an active customer are a Poisson process, and the number
        made until inactive is geometric: both are drawn whole and what comes too late is cut off, with no loop.
        """
        established = rng.random(customers) < established_share
        # The floors keep an underflow of these skewed distributions from dividing by zero.
        rate = np.maximum(rng.gamma(R, 1.0 / ALPHA, size=customers), 1e-9)
        dropout = np.maximum(rng.beta(A, B + SURVIVED * established), 1e-6)
        first = _first(rng, rate, established, total)
        later = rng.poisson(rate * (total - first))
        owner = np.repeat(np.arange(customers), later)
        moments = first[owner] + (total - first[owner]) * rng.random(len(owner))
        customer = np.concatenate((np.arange(customers), owner))
        moment = np.concatenate((first, moments))
        order = np.lexsort((moment, customer))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(later + 1) - later - 1, later + 1)
        # Nobody is lost at their very first purchase; an established customer's first one here is a repeat.
        most = rng.geometric(dropout) + ~established
        bought = order[rank < np.repeat(most, later + 1)]
        return cls(customer=customer[bought], moment=moment[bought])


def _first(rng: np.random.Generator, rate: Floats, established: Bools, total: float) -> Floats:
    """The first purchase seen: a newcomer's at any time, an established customer's after a wait at their own
    rate, given that it falls into the window (an exponential distribution cut off at `total`).
    """
    share = rng.random(len(rate))
    waited = -np.log1p(share * np.expm1(-rate * total)) / rate
    return np.where(established, waited, share * total)
