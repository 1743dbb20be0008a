"""How the numbers of a customer table are written: decided from the column, and where it leaves that open, as in the
table that the model was made of."""

from typing import Any

from training.errors import UnreadableSource
from training.reading import number_format
from training.reading.number_format import NumberFormat

PLAIN = NumberFormat()
MOST = 0.9  # of the values: a column with fewer numbers holds words


def decide_numbers(
    where: str, name: str, column: Any, *, semicolons: bool, stated: str | None, recorded: str | None
) -> tuple[NumberFormat, str | None]:
    """How to read a column, and an example of how its numbers are written; None where they are numbers already, or
    whole, or words.

    `stated` is such an example that the user gives, and counts for all values; `recorded` one that a model has, and
    counts where the values leave it open. Raises UnreadableSource where nothing tells.
    """
    if not column.type().is_string():
        return PLAIN, None
    if (number_format.is_number(column).mean().to_pyarrow().as_py() or 0) < MOST:
        return PLAIN, None
    try:
        found = number_format.decide(where, name, column, semicolons=semicolons, stated=stated)
    except UnreadableSource:
        if recorded is None:
            raise
        found = number_format.decide(where, name, column, semicolons=semicolons, stated=recorded)
    return found, found.example if found.decimal else None
