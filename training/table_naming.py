"""Names for the segments of a customer table: how their members differ from all, in the columns that decide."""

from bisect import bisect
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.customer_table import CustomerTable
from training.table_columns import label

SAID = 2  # differences in a name; a third is only said where two segments would have the same name
# Where a segment's members stand among all customers, as a mean percentile from 0 to 1, and the word for it. The finer
# words tell segments apart that the others do not.
WORDS: tuple[tuple[tuple[float, ...], tuple[str, ...]], ...] = (
    ((0.35, 0.65), ("low", "average", "high")),
    ((0.15, 0.35, 0.45, 0.55, 0.65, 0.85), (
        "very low", "low", "rather low", "average", "rather high", "high", "very high",
    )),
)  # fmt: skip
NEARLY_ALL, MOST = 0.9, 0.5  # shares of members


class Difference(NamedTuple):
    """A segment against all customers in one column: how far apart, from 0 to 1, and in words, finer ones second."""

    size: float
    says: tuple[str, str]


def names_by_difference(table: CustomerTable, labels: NDArray[np.intp], k: int, taken: Mapping[int, str]) -> list[str]:
    """A name for each of k segments, no two alike, such as `High Annual Income, low Spending Score`.

    `labels`, of shape (n,) and from 0 to k - 1, say in which segment each customer of the table is. Said are the
    columns in which the members differ most, in the order of the table's features; where that gives two segments one
    name, one column more, then finer words, and in the end numbers. `taken` are the names that segments (by index)
    keep from the model before.
    """
    found = [[_difference(table, feature, labels == index) for feature in table.features] for index in range(k)]
    most = len(table.features)
    versions = [(said, fine) for fine in (0, 1) for said in range(min(SAID, most), min(SAID + 1, most) + 1)]
    unnamed = [index for index in range(k) if index not in taken]
    version = dict.fromkeys(unnamed, 0)
    while True:
        names = {**taken, **{index: _name(found[index], *versions[version[index]]) for index in unnamed}}
        times = Counter(names.values())
        clashing = [one for one in unnamed if times[names[one]] > 1 and version[one] + 1 < len(versions)]
        if not clashing:
            return _numbered(names, unnamed)
        for index in clashing:
            version[index] += 1


def _difference(table: CustomerTable, feature: str, inside: NDArray[np.bool_]) -> Difference:
    called = label(feature).replace("_", " ")
    if feature in table.numeric:
        place = float(np.mean(((rankdata(table.numeric[feature]) - 0.5) / len(inside))[inside]))
        coarse, fine = (words[bisect(bounds, place)] for bounds, words in WORDS)
        return Difference(abs(2 * place - 1), (f"{coarse} {called}", f"{fine} {called}"))
    words = np.array(table.categorical[feature], dtype=object)
    shares = {level: float(np.mean(words[inside] == level)) for level in table.levels[feature]}
    apart = max(shares[level] - float(np.mean(words == level)) for level in shares)
    level = max(shares, key=shares.__getitem__)
    if shares[level] < MOST:
        return Difference(apart, (f"mixed {called}", f"mixed {called}, often {level}"))
    says = f"{called} {level}" if shares[level] >= NEARLY_ALL else f"{called} mostly {level}"
    return Difference(apart, (says, says))


def _name(differences: Sequence[Difference], said: int, fine: int) -> str:
    largest = sorted(range(len(differences)), key=lambda index: -differences[index].size)[:said]
    name = ", ".join(differences[index].says[fine] for index in sorted(largest))
    return name[:1].upper() + name[1:]


def _numbered(names: Mapping[int, str], unnamed: Sequence[int]) -> list[str]:
    """The names in order; of equal ones, all but the first that may keep it get a number behind them."""
    given = {name for index, name in names.items() if index not in unnamed}
    result = dict(names)
    for index in unnamed:
        name, number = names[index], 1
        while name in given:
            number += 1
            name = f"{names[index]} ({number})"
        given.add(name)
        result[index] = name
    return [result[index] for index in sorted(result)]
