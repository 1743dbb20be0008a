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


def statement(feature: str, value: float, segment_median: float, base_median: float) -> str:
    """One sentence: the customer's value beside what is typical in the segment and over all customers."""
    known = FEATURE.get(feature)
    said = known.says.format(measure(feature, value)) if known else f"{feature} is {number(value)}"
    here, overall = number_of(feature, segment_median), number_of(feature, base_median)
    return f"{said}; typical here is {here}, over all customers {overall}"


def number_of(feature: str, value: float) -> str:
    """A feature's value without its unit, shares as per cent."""
    known = FEATURE.get(feature)
    return f"{100 * value:.3g} %" if known is not None and known.unit == "share of value" else number(value)
