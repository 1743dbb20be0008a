"""What the demo shop sells: products in families, some far more popular than others."""

from dataclasses import dataclass

import numpy as np

from training.demo.charges import CHARGES
from training.demo.clock import Floats, Ints
from training.demo.vocabulary import ADJECTIVES, MOTIFS, NOUNS

PRODUCTS = 4_000
# Popularity falls with rank as in Zipf's law, flattened at the head as Mandelbrot did.
ZIPF_EXPONENT, ZIPF_SHIFT = 1.0, 25.0
# Prices are log-normal; the values are those of the UCI Online Retail file.
PRICE_MEDIAN, PRICE_SIGMA = 2.10, 0.95
BULK_DISCOUNT = 0.85
# What staff write against a stock correction in place of a description.
NOTES = (None, "check", "damages", "lost", "?", "found", "thrown away")


@dataclass(frozen=True)
class Catalogue:
    """Products sorted by family, then the non-product codes of `CHARGES`, in one numbering.

    `descriptions` has the same numbering and the stock notes after it.
    """

    codes: list[str]
    descriptions: list[str | None]
    pence: Ints  # list price of each product
    bulk_pence: Ints  # its price for many pieces
    families: Ints  # first product of each family, and the number of products last
    popularity: Floats  # cumulative share of lines up to each product, 0 first

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Catalogue":
        family = np.sort(rng.integers(len(MOTIFS), size=PRODUCTS))
        families = np.searchsorted(family, np.arange(len(MOTIFS) + 1))
        weights = 1.0 / (rng.permutation(PRODUCTS) + 1.0 + ZIPF_SHIFT) ** ZIPF_EXPONENT
        prices = PRICE_MEDIAN * np.exp(PRICE_SIGMA * rng.standard_normal(PRODUCTS))
        names = [name for at in range(len(MOTIFS)) for name in _names(rng, at, int(np.diff(families)[at]))]
        return cls(
            codes=[*_stock_codes(rng), *(charge.code for charge in CHARGES)],
            descriptions=[*names, *(charge.description for charge in CHARGES), *NOTES],
            pence=_ending_in_5(prices),
            bulk_pence=_ending_in_5(prices * BULK_DISCOUNT),
            families=families,
            popularity=np.concatenate(([0.0], np.cumsum(weights / weights.sum()))),
        )

    def charge(self, index: int) -> int:
        """The number that the charge at `index` of `CHARGES` has among the codes."""
        return len(self.pence) + index

    def notes(self, rng: np.random.Generator, size: int) -> Ints:
        """Numbers of stock notes among the descriptions."""
        return rng.integers(len(self.codes), len(self.descriptions), size=size)

    def any_family(self, rng: np.random.Generator, size: tuple[int, ...]) -> Ints:
        """Families, each as often as its products are popular."""
        edges = self.popularity[self.families]
        return np.minimum(np.searchsorted(edges, rng.random(size), side="right") - 1, len(edges) - 2)

    def products_of(self, rng: np.random.Generator, family: Ints) -> Ints:
        """One product from each given family, each as often as it is popular."""
        low, high = self.popularity[self.families[family]], self.popularity[self.families[family + 1]]
        return self._at(low + (high - low) * rng.random(family.shape), self.families[family + 1] - 1)

    def any_product(self, rng: np.random.Generator, size: int) -> Ints:
        return self._at(rng.random(size), np.full(size, len(self.pence) - 1))

    def _at(self, share: Floats, last: Ints) -> Ints:
        # A sum that rounds up to its upper edge would otherwise name the next family's product.
        return np.minimum(np.searchsorted(self.popularity, share, side="right") - 1, last)


def _names(rng: np.random.Generator, motif: int, size: int) -> list[str]:
    """Different descriptions for the products of one family."""
    drawn = rng.choice(len(ADJECTIVES) * len(NOUNS), size=size, replace=False)
    form = rng.random(size)
    return [
        _name(ADJECTIVES[pick % len(ADJECTIVES)], MOTIFS[motif], NOUNS[pick // len(ADJECTIVES)], share)
        for pick, share in zip(drawn.tolist(), form.tolist(), strict=True)
    ]


def _name(adjective: str, motif: str, noun: str, form: float) -> str:
    if form < 0.04:
        return f"{noun}, {motif} {adjective}"  # a comma, as real exports have: it must be quoted
    if form < 0.16:
        return f"SET OF {3 if form < 0.1 else 6} {adjective} {motif} {noun}"
    return f"{adjective} {motif} {noun}"


def _stock_codes(rng: np.random.Generator) -> list[str]:
    """Five digits, some with a letter for a variant, few of the letters in lower case."""
    numbers = rng.choice(np.arange(20_000, 90_000), size=PRODUCTS, replace=False)
    letters = rng.choice([*"ABCDabc", ""], size=PRODUCTS, p=[0.09, 0.07, 0.04, 0.03, 0.01, 0.01, 0.01, 0.74])
    return [f"{number}{letter}" for number, letter in zip(numbers.tolist(), letters.tolist(), strict=True)]


def _ending_in_5(prices: Floats) -> Ints:
    """Pence such as 85, 125 or 2995."""
    return np.maximum(10 * np.floor(prices * 10.0) + 5.0, 15.0).astype(np.int64)
