"""The export layouts of common shop systems, known by their headers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from training.reading.column_mapping import reduced


@dataclass(frozen=True, slots=True)
class Layout:
    """A system's export: headers that it always has, the columns of fields in order of preference, its statuses."""

    name: str
    headers: frozenset[str]
    columns: Mapping[str, tuple[str, ...]]
    statuses: tuple[str, ...]

    def column_of(self, field: str, names: Sequence[str]) -> list[str]:
        """The columns of a field that are among `names`."""
        return _present(self.columns.get(field, ()), names)

    def status_columns(self, names: Sequence[str]) -> list[str]:
        """The status columns that are among `names`."""
        return _present(self.statuses, names)


@cache
def layouts() -> tuple[Layout, ...]:
    """The layouts that ship with the package, `layouts.json`."""
    known = json.loads(files("training.reading").joinpath("layouts.json").read_text("utf-8"))
    return tuple(
        Layout(
            name=one["name"],
            headers=frozenset(reduced(header) for header in one["headers"]),
            columns={field: tuple(names) for field, names in one["columns"].items()},
            statuses=tuple(one.get("statuses", ())),
        )
        for one in known
    )


def recognise(names: Sequence[str]) -> Layout | None:
    """The layout whose headers are all there; of several the one with most headers."""
    there = {reduced(name) for name in names}
    fitting = [layout for layout in layouts() if layout.headers <= there]
    return max(fitting, key=lambda layout: len(layout.headers), default=None)


def _present(wanted: Sequence[str], names: Sequence[str]) -> list[str]:
    by_reduced = {reduced(name): name for name in reversed(names)}
    return [by_reduced[key] for name in wanted if (key := reduced(name)) in by_reduced]
