"""Figures as a person would say them."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.features import FEATURE
from models.rounding import rounded

_COUNTED = {
    "days": ("day", "days"),
    "orders": ("occasion", "occasions"),
    "products": ("product", "products"),
    "units per line": ("unit a line", "units a line"),
    "days between orders": ("day between orders", "days between orders"),
    "currency per order": ("an order", "an order"),
    "currency per unit": ("a unit", "a unit"),
}

MOST_WHOLE = 2**53  # up to which float64 has each whole number


def number(value: float) -> str:
    """A figure at the precision a person needs: 1,234; 12.5; 2.55; 0.123."""
    size = abs(value)
    if value == math.floor(value) or size >= 100:
        return format(value, ",.0f")
    if size >= 10:
        return format(value, ",.1f").removesuffix(".0")
    return format(value, ".3g")


def numbers(values: NDArray[np.float64]) -> list[str]:
    """The same of n figures, shape (n,)."""
    size = np.abs(values)
    whole = ((values == np.floor(values)) | (size >= 100)) & (size < MOST_WHOLE) & (size > 0)
    tenths, hundredths = (~whole & (values >= low) & (values < 10 * low) for low in (10, 1))
    said = np.empty(len(values), dtype=object)
    said[whole] = [format(one, ",d") for one in np.rint(values[whole]).astype(np.int64).tolist()]
    said[tenths] = _TENTHS[np.rint(10 * rounded(values[tenths], 1)).astype(np.intp)]
    said[hundredths] = _HUNDREDTHS[np.rint(100 * rounded(values[hundredths], 2)).astype(np.intp)]
    rest = ~(whole | tenths | hundredths)
    said[rest] = [number(one) for one in values[rest].tolist()]
    listed: list[str] = said.tolist()
    return listed


# Up to a hundred by tenths, and up to ten by hundredths.
_TENTHS, _HUNDREDTHS = (np.array([number(one / per) for one in range(1001)], dtype=object) for per in (10, 100))


def measurer(feature: str) -> Callable[[float], str]:
    """How a feature's value is said with its unit: "1 day", "34 occasions", "12 %"."""
    known = FEATURE.get(feature)
    if known is None or known.unit == "currency":
        return number
    if known.unit == "share of value":
        return per_cent
    one, many = _COUNTED[known.unit]

    def counted(value: float) -> str:
        figure = number(value)
        return f"{figure} {one if figure == '1' else many}"

    return counted


def measurer_of_many(feature: str) -> Callable[[NDArray[np.float64]], list[str]]:
    """The same for n values of a feature, shape (n,)."""
    known = FEATURE.get(feature)
    if known is None or known.unit == "currency":
        return numbers
    if known.unit == "share of value":
        return lambda values: [per_cent(value) for value in values.tolist()]
    one, many = _COUNTED[known.unit]
    return lambda values: [f"{figure} {one if figure == '1' else many}" for figure in numbers(values)]


def measure(feature: str, value: float) -> str:
    """A feature's value with its unit."""
    return measurer(feature)(value)


def per_cent(share: float) -> str:
    """A share, 0 to 1, as per cent."""
    return f"{format(100 * share, '.3g')} %"


def saying(feature: str) -> str:
    """The words around a customer's value of a feature, with {} where the value goes."""
    known = FEATURE.get(feature)
    return known.says if known else f"{feature.replace('{', '').replace('}', '')} is {{}}"


def beside(feature: str, segment_median: float, base_median: float) -> str:
    """What is typical in the segment and over all customers, to stand behind a customer's value."""
    return f"typical here is {bare(feature, segment_median)}, over all customers {bare(feature, base_median)}"


def bare(feature: str, value: float) -> str:
    """A feature's value without its unit, shares as per cent."""
    known = FEATURE.get(feature)
    return per_cent(value) if known is not None and known.unit == "share of value" else number(value)
