"""The one connection that writes: many assignments in one transaction, at the driver's own speed.

The statements are SQLAlchemy's, compiled once; they are executed by the driver itself, because
going through SQLAlchemy for each costs more than the database's own work.
"""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from service.store.assignment import Assignment
from service.store.utc_time import utc_text

# An assignment as the database takes it: its times spelt out, the fields in the table's order.
Entry = tuple[str, str, str, str, str, int, str, int, str, float, str, str | None]

ID: Final = 0  # its position in an Entry


class Ledger(Protocol):
    """Writes rows to the history and to the current rows, all of them or none."""

    @property
    def alive(self) -> bool:
        """Whether the connection can be used again; a dead one may have died during its COMMIT."""

    def write(self, appended: Sequence[Entry]) -> None:
        """Commits all entries in one transaction.

        Raises RowRefused when the database refuses what a row says, StoreUnavailable when it does
        not do its work; then nothing was stored, unless the connection is no longer `alive`.
        """

    def holds(self, assignment_id: str) -> bool:
        """Whether this assignment is in the history."""

    def close(self) -> None:
        """Gives the connection back to the operating system."""


def entries(rows: Iterable[Assignment]) -> list[Entry]:
    """The rows as the database takes them. Raises ValueError for a time without a zone."""
    return [(row[0], row[1], utc_text(row[2]), utc_text(row[3]), *row[4:]) for row in rows]
