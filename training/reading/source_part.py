"""A piece of a source whose columns are known but whose values are not yet read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """One table of a source, with those of its columns that hold fields.

    `table` is an Ibis table whose columns are named for the fields and have the source's own types (text,
    where the source has only text). `columns` gives each field's name in the source, for messages.
    `semicolons` tells that fields are separated by `;`, as where the decimal sign is a comma. `left_out`
    counts the lines that did not have as many fields as the header.
    """

    where: str
    table: Any
    columns: Mapping[str, str]
    semicolons: bool = False
    left_out: int = 0
