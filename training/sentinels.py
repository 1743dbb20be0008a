"""Numbers that stand for a missing value: -999 among incomes, 999999 among ages."""

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

MOST = 3  # different ones at each end of a column
FEWEST_OTHERS = 10  # different values, for a range that says what is far outside
FEWEST_BESIDE_NINES = 3  # the same where what lies outside is written in nines, which few values are


def sentinels(values: Values) -> list[float]:
    """The values of a column, of shape (n,) and without NaN, that look like a sign for a missing value.

    They are in two rows at least, or written in nines (99, -999, 9999.99), and lie further from all others than these
    lie from each other. The only negative value is one too, where it is -1 or written in nines and in two rows.
    """
    different, counts = np.unique(values, return_counts=True)
    odd = [count > 1 or in_nines(value) for value, count in zip(different.tolist(), counts.tolist(), strict=True)]
    found: set[float] = set()
    for low, high in product(range(MOST + 1), repeat=2):
        end = len(different) - high
        inside, outside = different[low:end], [*different[:low].tolist(), *different[end:].tolist()]
        fewest = FEWEST_BESIDE_NINES if all(map(in_nines, outside)) else FEWEST_OTHERS
        if len(inside) < fewest or not all(odd[:low] + odd[end:]):
            continue
        spread = inside[-1] - inside[0]
        if (not low or inside[0] - different[low - 1] > spread) and (not high or different[end] - inside[-1] > spread):
            found.update(outside)
    if len(different) > FEWEST_OTHERS and different[0] < 0 <= different[1] and counts[0] > 1:
        found.update(value for value in different[:1].tolist() if value == -1 or in_nines(value))
    return sorted(found)


def sentinels_beyond(low: float, high: float, counts: Mapping[float, int]) -> list[float]:
    """The same among values that lie beyond a range known from other rows, each with the number of its rows."""
    odd = [
        value
        for value, count in counts.items()
        if (count > 1 or in_nines(value)) and max(low - value, value - high) > high - low > 0
    ]
    return sorted(odd) if len(odd) <= 2 * MOST else []


def in_nines(value: float) -> bool:
    """Whether a number is written in two nines or more, and nothing else."""
    digits = f"{abs(value):.15g}".replace(".", "")
    return len(digits) > 1 and set(digits) == {"9"}


def sentinel_question(name: str, value: float, where: str) -> str:
    """What to ask of a value that looks like a sign for a missing one."""
    written = f"{value:.15g}"
    return (
        f"'{name}' is {written} for {where}, unlike all its other values. If that stands for a missing value, say "
        f"--missing={written}; if it is a value, say --not-missing={written}."
    )
