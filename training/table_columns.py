"""Which columns of a customer table are meant: by their names as the table writes them, or nearly so."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from training.errors import UnreadableSource

ID = "id"  # the field of the customer's id; others are called c0, c1 and so on
NUMBERED = "row"  # in place of a column's name: customers are numbered by row
_UNIT = re.compile(r"\s*(\([^()]*\)|\[[^\[\]]*\])\s*$")


def label(name: str) -> str:
    """A column's name without the unit in brackets at its end, as a person says it: `Annual Income (k$)` loses (k$)."""
    return _UNIT.sub("", name) or name


def unit(name: str) -> str:
    """The unit in brackets at the end of a column's name: `k$` of `Annual Income (k$)`; empty where there is none."""
    found = _UNIT.search(name)
    return found[1][1:-1].strip() if found and label(name) != name else ""


def match(wanted: str, names: Sequence[str], where: str) -> str:
    """The one column that is meant. The first way of these that finds any decides.

    The very name; the name but for case, spaces, `_`, `-` and `.`; the same without the unit in brackets at its end.
    Part of a name is not enough: with the next export it could be part of two. Raises UnreadableSource where no
    column is meant, or more than one.
    """
    ways: tuple[Callable[[str], str], ...] = (str, _reduced, lambda name: _reduced(label(name)))
    for way in ways:
        found = [name for name in names if name and way(name) == (wanted if way is str else _reduced(wanted))]
        if len(found) == 1:
            return found[0]
        if found:
            raise UnreadableSource(
                f"{where}: '{wanted}' can be each of {_list(found)}. Rename them so that the names differ, "
                "or give the name as it is written there."
            )
    raise UnreadableSource(f"{where} has no column called '{wanted}'; its columns are {_list(names)}.")


def match_id(wanted: str, names: Sequence[str], where: str, option: str) -> str | None:
    """The column of the customer's id; None to number customers: NUMBERED is wanted, and no column is called so.

    `option` is what names the column on the command line. Raises UnreadableSource.
    """
    if wanted == NUMBERED and not any(_reduced(name) == NUMBERED for name in names):
        return None
    try:
        return match(wanted, names, where)
    except UnreadableSource as error:
        raise UnreadableSource(
            f"{error} Name the column of the customer's id with {option}NAME, or number the customers with "
            f"{option}{NUMBERED}."
        ) from None


@dataclass(frozen=True, slots=True)
class Columns:
    """What is asked of a table: the column of the id, those that decide, and those that describe (None: all others).

    `id` is NUMBERED where customers are to be numbered. `missing` are values that stand for a missing one, such as
    `-999`; `not_missing` are values that look so and do not. `numbers` gives for a column an example of how its numbers
    are written; `sheets` of a workbook are read, all where none is named.
    """

    id: str
    features: Sequence[str]
    describe: Sequence[str] | None = None
    missing: Sequence[str] = ()
    not_missing: Sequence[str] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    sheets: Sequence[str] = ()

    def choose(self, names: Sequence[str], where: str) -> Mapping[str, str]:
        """The column of each field: first the id's if there is one, then the deciding ones in their order, then the
        describing ones.

        Fields are called by number, since what a table calls its columns may differ in case only. Raises
        UnreadableSource.
        """
        if not self.features:
            raise UnreadableSource("No column is to decide the segment; name one or more with --features.")
        id_column = match_id(self.id, names, where, "--id ")
        deciding = [match(one, names, where) for one in self.features]
        if twice := {one for one in deciding if deciding.count(one) > 1 or one == id_column}:
            raise UnreadableSource(f"{where}: {_list(sorted(twice))} is named twice among --id and --features.")
        others = [one for one in names if one] if self.describe is None else self.describe
        describing = dict.fromkeys(match(one, names, where) for one in others)
        chosen = [*deciding, *(one for one in describing if one not in (id_column, *deciding))]
        fields = {ID: id_column} if id_column is not None else {}
        return fields | {f"c{index}": name for index, name in enumerate(chosen)}


def matching(wanted: str, names: Sequence[str], where: str) -> str | None:
    """As `match`, and None where no column is meant."""
    return match(wanted, names, where) if any(_alike(wanted, name) for name in names) else None


def _alike(wanted: str, name: str) -> bool:
    return bool(name) and any(way(name) == _reduced(wanted) for way in (_reduced, lambda one: _reduced(label(one))))


def _reduced(name: str) -> str:
    return re.sub(r"[\s_.\-]+", "", name).casefold()


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names if name) or "none"
