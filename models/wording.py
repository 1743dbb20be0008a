"""Figures as a person would say them."""

from models.features import FEATURE

_COUNTED = {
    "days": ("day", "days"),
    "orders": ("occasion", "occasions"),
    "products": ("product", "products"),
    "units per line": ("unit a line", "units a line"),
    "days between orders": ("day between orders", "days between orders"),
    "currency per order": ("an order", "an order"),
    "currency per unit": ("a unit", "a unit"),
}


def number(value: float) -> str:
    """A figure at the precision a person needs: 1,234; 12.5; 2.55; 0.123."""
    size = abs(value)
    if value == int(value) or size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.3g}"


def measure(feature: str, value: float) -> str:
    """A feature's value with its unit in words: "1 day", "34 occasions", "12 %"."""
    known = FEATURE.get(feature)
    if known is None or known.unit == "currency":
        return number(value)
    if known.unit == "share of value":
        return f"{100 * value:.3g} %"
    figure = number(value)
    words = _COUNTED[known.unit]
    return f"{figure} {words[0] if figure == '1' else words[1]}"


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
    return f"{100 * value:.3g} %" if known is not None and known.unit == "share of value" else number(value)
