"""The features of a customer: one table of what each means, one vectorised function of summaries and a moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.summary import Summaries, Summary

DAY = 86_400.0
LARGEST = 1e12  # no shop's figure is larger; beyond it float64 sums lose cents

Values = NDArray[np.float64]
# One formula serves one customer, in plain numbers, and many, in arrays. None is what the source lacks.
Of = Summary | Summaries
Number = float | Values
Formula = Callable[[Of, float], Number | None]


@dataclass(frozen=True, slots=True)
class Feature:
    """A numeric feature: how it is computed, what it may be, and how it is said to a person.

    `says` is filled with the customer's value, `unit` stands in tables, `one_order` is the value for a customer
    with a single order. `low` is the least value that can be, `up` whether more of it is better for the shop.
    `grows` is when every day on which nothing is bought adds a day to it.
    """

    name: str
    unit: str
    formula: str
    one_order: str
    says: str
    low: float
    compute: Formula
    up: bool = True
    high: float = LARGEST
    grows: Literal["never", "always", "while one order"] = "never"


def _recency(of: Of, as_of: float) -> Number:
    return (as_of - of.last_at) / DAY


def _tenure(of: Of, as_of: float) -> Number:
    return (as_of - of.first_at) / DAY


def _mean_gap(of: Of, as_of: float) -> Number:
    between = (of.last_at - of.first_at) / DAY / _at_least(1, of.orders - 1)
    return _where(of.orders > 1, between, _tenure(of, as_of))


def _return_rate(of: Of, as_of: float) -> Number:
    return _at_most(1.0, of.returned / _at_least(1e-9, of.bought))


def _at_least(bound: float, value: Number) -> Number:
    return np.maximum(value, bound) if isinstance(value, np.ndarray) else max(value, bound)


def _at_most(bound: float, value: Number) -> Number:
    return np.minimum(value, bound) if isinstance(value, np.ndarray) else min(value, bound)


def _where(holds: bool | NDArray[np.bool_], then: Number, otherwise: Number) -> Number:
    return np.where(holds, then, otherwise) if isinstance(holds, np.ndarray) else then if holds else otherwise


FEATURES: tuple[Feature, ...] = (
    Feature(
        "recency", "days", "as_of - last purchase", "days since that order",
        "last bought {} ago", 0.0, _recency, up=False, grows="always",
    ),
    Feature(
        "frequency", "orders", "distinct invoices with a purchase that was kept", "1",
        "bought on {}", 1.0, lambda of, as_of: of.orders,
    ),
    Feature(
        "monetary", "currency", "value bought - value returned", "value of that order less returns",
        "spent {} after returns", -LARGEST, lambda of, as_of: of.bought - of.returned,
    ),
    Feature(
        "average_order_value", "currency per order", "revenue / orders", "value of that order",
        "spends {}", 0.0, lambda of, as_of: of.revenue / of.orders,
    ),
    Feature(
        "typical_quantity", "units per line", "mode of the quantity over lines; of equals the smallest",
        "mode within that order", "usually takes {}", 0.0, lambda of, as_of: of.typical_quantity,
    ),
    Feature(
        "mean_unit_price", "currency per unit", "mean of the unit price over lines", "mean within that order",
        "buys at {} on average", 0.0, lambda of, as_of: of.price_sum / of.lines,
    ),
    Feature(
        "mean_line_quantity", "units per line", "units / lines", "mean within that order",
        "takes {} on average", 0.0, lambda of, as_of: of.units / of.lines,
    ),
    Feature(
        "distinct_products", "products", "distinct product codes", "products in that order",
        "bought {}", 1.0, lambda of, as_of: of.products,
    ),
    Feature(
        "tenure", "days", "as_of - first purchase", "days since that order; equal to recency",
        "first bought {} ago", 0.0, _tenure, grows="always",
    ),
    Feature(
        "mean_gap", "days between orders", "(last - first purchase) / (orders - 1)",
        "days since that order: no second order has come in that time",
        "waits {} on average", 0.0, _mean_gap, up=False, grows="while one order",
    ),
    Feature(
        "return_rate", "share of value", "value returned / value bought, at most 1", "share of that order returned",
        "returned {}", 0.0, _return_rate, up=False, high=1.0,
    ),
)  # fmt: skip
FEATURE: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}
NAMES: tuple[str, ...] = tuple(FEATURE)
MAIN_COUNTRY = "main_country"  # the one feature in words: most lines; of equals the alphabetically first


def compute_one(summary: Summary, as_of: float, names: Sequence[str] = NAMES) -> dict[str, float]:
    """The features of one customer at `as_of` (seconds UTC), by name; the same numbers as `compute`.

    What the source lacks (distinct products without product codes) is left out.
    """
    found = [(name, FEATURE[name].compute(summary, as_of)) for name in names]
    return {name: float(value) for name, value in found if value is not None}


def compute(summaries: Summaries, as_of: float, names: Sequence[str] = NAMES) -> Values:
    """The features of n customers at `as_of` (seconds UTC): array of shape (n, len(names)).

    NaN stands where the source lacks what a feature needs (distinct products without product codes).
    """
    columns: list[Any] = [FEATURE[name].compute(summaries, as_of) for name in names]
    return np.column_stack(columns) if columns else np.empty((len(summaries), 0))
