"""Which columns could hold which field, by their names: names in use, with the words that systems put around them."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from training.errors import UnreadableSource

# In this order they are read, stored and listed.
FIELDS = ("invoice", "product", "description", "quantity", "at", "price", "customer", "country", "amount")
# These are read beside them, if the source has them.
FURTHER_FIELDS = ("time", "currency", "status", "discount", "order_discount", "refund")
ALL_FIELDS = (*FIELDS, *FURTHER_FIELDS)

# What a source must have, in words, and which fields will do.
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "customer": ("customer",),
    "purchase date": ("at",),
    "price or amount": ("price", "amount"),
}
NO_COLUMN = ""  # stated for a field that no column holds


@dataclass(frozen=True, slots=True)
class FieldNames:
    """The names of one field: `names` in order of preference, `affixed` only with a prefix or suffix, `excluded` words
    that show another meaning, and words that make a name look like the field."""

    names: tuple[str, ...]
    affixed: tuple[str, ...]
    prefixes: tuple[str, ...]
    suffixes: tuple[str, ...]
    excluded: frozenset[str]
    looks_like: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnNames:
    """The names of all fields, and of columns with another role."""

    fields: Mapping[str, FieldNames]
    roles: Mapping[str, frozenset[str]]


@cache
def column_names() -> ColumnNames:
    """The names that ship with the package, `column_names.json`."""
    listed = json.loads(files("training.reading").joinpath("column_names.json").read_text("utf-8"))
    fields = {
        field: FieldNames(
            names=tuple(known["names"]),
            affixed=tuple(known.get("only_with_affix", ())),
            prefixes=tuple(reduced(word) for word in known["prefixes"]),
            suffixes=tuple(reduced(word) for word in known["suffixes"]),
            excluded=frozenset(known.get("not", ())),
            looks_like=tuple(known["looks_like"]),
        )
        for field, known in listed["fields"].items()
    }
    return ColumnNames(fields, {role: frozenset(names) for role, names in listed["roles"].items()})


def reduced(name: str) -> str:
    """A name without case, spaces and punctuation: `Customer ID` is `customerid`."""
    return re.sub(r"[^\w]+|_", "", name).casefold()


def words(name: str) -> tuple[str, ...]:
    """The words of a name: `Lineitem quantity`, `lineitem_quantity` and `lineitemQuantity` have the same."""
    separated = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return tuple(word.casefold() for word in re.split(r"[\W_]+", separated) if word)


def role_of(name: str) -> str | None:
    """The role of a column that holds no field, such as `postage` or `tax`; None if its name tells none."""
    return next((role for role, names in column_names().roles.items() if reduced(name) in names), None)


def candidates(names: Sequence[str], field: str) -> list[str]:
    """The columns whose names say that they hold a field, the likeliest first."""
    known = column_names().fields[field]
    ranked = [(rank, name) for name in names if (rank := _rank(name, known)) is not None]
    return [name for _, name in sorted(ranked, key=lambda found: found[0])]


def lookalikes(names: Sequence[str], field: str) -> list[str]:
    """The columns whose names have a word of a field, and no word that shows another meaning."""
    known = column_names().fields[field]
    found = []
    for name in names:
        spaced = f" {' '.join(words(name))} "
        compact = reduced(name)
        if role_of(name) or any(f" {word} " in spaced for word in known.excluded):
            continue
        if any(f" {word} " in spaced or (len(word) > 4 and reduced(word) in compact) for word in known.looks_like):
            found.append(name)
    return found


def match_column(names: Sequence[str], wanted: str, option: str, where: str) -> str:
    """The column that a person names, by its exact name or its reduced one. Raises UnreadableSource."""
    matches = [name for name in names if name == wanted] or [name for name in names if reduced(name) == reduced(wanted)]
    if len(matches) != 1:
        problem = "more than one column" if matches else "no column"
        raise UnreadableSource(f"{option}: {where} has {problem} called '{wanted}'; its columns are {listed(names)}.")
    return matches[0]


def listed(names: Iterable[str]) -> str:
    """Names in quotes, for a message."""
    return ", ".join(f"'{name}'" for name in names) or "none"


def _rank(name: str, known: FieldNames) -> tuple[int, int] | None:
    """How surely a name says the field: first its exact names in order, then those with a prefix or suffix."""
    compact = reduced(name)
    if compact in known.names:
        return 0, known.names.index(compact)
    if known.excluded & set(words(name)) or role_of(name):
        return None
    for removed in range(1, 4):
        for core in _cores(compact, known, removed):
            if core in known.names:
                return removed, known.names.index(core)
            if core in known.affixed:
                return removed, len(known.names)
    return None


def _cores(compact: str, known: FieldNames, removed: int) -> list[str]:
    """The name without so many of the prefixes and suffixes."""
    cores = [compact]
    for _ in range(removed):
        cores = [
            *(core.removeprefix(prefix) for core in cores for prefix in known.prefixes if core.startswith(prefix)),
            *(core.removesuffix(suffix) for core in cores for suffix in known.suffixes if core.endswith(suffix)),
        ]
    return [core for core in cores if core]
