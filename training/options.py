"""The ways of making segments that are tried: feature sets, transforms, and axes learned from earlier cut-offs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.features import NAMES
from training.customers import Customers
from training.history import History
from training.recipe import Recipe
from training.value_axis import Lesson, learn_axis

Values = NDArray[np.float64]

TAILS = 0.001
RFM = ("recency", "frequency", "monetary")
# What customers are placed by where nothing was learned.
PLAIN = (
    Recipe("log RFM", RFM, "log1p", TAILS),
    Recipe("log RFM and tenure", (*RFM, "tenure"), "log1p", TAILS),
    Recipe("raw RFM", RFM, "identity", TAILS),
)
# The features of the value axes, the usual one first; products where the data names them for every customer.
AXES = ((*RFM, "mean_gap"), RFM)
PRODUCTS = "distinct_products"


@dataclass(frozen=True, slots=True)
class Option:
    """A recipe for the n customers at the end of the data: their ids, and their features in its order (n, d).

    `then` is the same way at the back-test's cut-off, learned from what was known there; None where it cannot be
    tried. `lessons` are what an axis was learned from, and `usual` is the axis taken where nothing speaks for another
    way. `k`, where given, is the only number of segments to try: that of the model before. One that was `asked` for is
    chosen whatever the others are.
    """

    recipe: Recipe
    then: Recipe | None
    ids: Sequence[str]
    values: Values
    lessons: tuple[Lesson, ...] = ()
    usual: bool = False
    k: int | None = None
    asked: bool = False

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def learned(self) -> bool:
        """Whether later purchases had a say in it."""
        return self.recipe.axis is not None

    def relearned(self, chosen: Callable[[Sequence[str]], NDArray[np.bool_]], seed: int) -> Recipe:
        """The recipe as some customers alone would teach it."""
        return learn_axis([one.of(chosen(one.ids)) for one in self.lessons], self.recipe.features, seed)


# What is made where it is asked for by name. The classroom's: k-means on the plain means of a line.
PRESETS = {"price-quantity": Recipe("price and quantity", ("mean_unit_price", "mean_line_quantity"), "identity", 0.0)}
PRESET_SEGMENTS = 5


def preset_of(name: str, customers: Customers, cut_off: datetime | None) -> Option:
    """The option that a preset names."""
    recipe = PRESETS[name]
    then = recipe if cut_off else None
    return Option(recipe, then, customers.known.ids, customers.matrix(recipe.features), asked=True)


def options_of(
    customers: Customers, history: History, cut_off: datetime | None, before: tuple[Recipe, int] | None, seed: int
) -> list[Option]:
    """All ways that the data allows; `cut_off` is the back-test's, None where history is too short for one.

    `before` is the recipe of the model before with its number of segments.
    """
    found = []
    if before is not None and customers.all_have(before[0].features):
        recipe, k = before
        values = customers.matrix(recipe.features)
        found.append(Option(recipe, recipe if cut_off else None, customers.known.ids, values, k=k))
    for recipe in PLAIN:
        values = customers.matrix(recipe.features)
        found.append(Option(recipe, recipe if cut_off else None, customers.known.ids, values))
    if cut_off is not None:
        more = (PRODUCTS,) if customers.all_have((PRODUCTS,)) else ()
        for features in AXES:
            in_order = tuple(name for name in NAMES if name in (*features, *more))
            found += _axis(in_order, customers, history, cut_off, seed, usual=features == AXES[0])
    return found


def _axis(
    features: tuple[str, ...], customers: Customers, history: History, cut_off: datetime, seed: int, *, usual: bool
) -> list[Option]:
    now, then = (_lessons(features, history, moment) for moment in (history.as_of, cut_off))
    if not now or not then:
        return []
    values = customers.matrix(features)
    recipe, recipe_then = learn_axis(now, features, seed), learn_axis(then, features, seed)
    return [Option(recipe, recipe_then, customers.known.ids, values, now, usual)]


def _lessons(features: tuple[str, ...], history: History, end: datetime) -> tuple[Lesson, ...]:
    found = []
    for moment in history.cut_offs(end):
        snapshot = history.snapshot(moment)
        if snapshot.customers.all_have(features) and snapshot.usable:
            found.append(
                Lesson(snapshot.customers.known.ids, snapshot.customers.matrix(features), snapshot.log_revenue)
            )
    return tuple(found)
