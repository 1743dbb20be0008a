"""A table of a club's customers, of three kinds that its columns tell apart."""

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

AS_OF = datetime(2011, 12, 1, tzinfo=UTC)
HEADER = ("id", "spent", "club", "town", "recency")
TOWNS = ("York", "Hull", 'St "Ives"')
Row = tuple[object, ...]


def club(count: int) -> list[Row]:
    """The first so many customers: of those who spend much half are in the gold club, and some spend little.

    `recency` is no number of days here, and has fractions below 1: a name that means something of transactions.
    """
    random = np.random.default_rng(7)
    rows: list[Row] = []
    for at in range(count):
        kind = at % 3
        spent = round(float(random.normal((500.0, 500.0, 100.0)[kind], 40.0)), 2)
        recency = round(float(random.uniform(-1.0, 1.0)), 3)
        rows.append((f"C{at}", spent, "gold" if kind == 0 else "basic", TOWNS[int(random.integers(3))], recency))
    return rows


def write_table(file: Path, rows: Sequence[Row]) -> Path:
    """The rows as CSV, under HEADER."""
    with file.open("w", encoding="utf-8", newline="") as target:
        csv.writer(target).writerows([HEADER, *rows])
    return file
