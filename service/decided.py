"""Some items of a batch whose segments are decided: what is to be stored of them, and what to answer."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from models.forecast.transitions import Decays, NextSegments
from models.scorer import Placements
from service.assigned import Assigned
from service.forms.checked_columns import CheckedColumns
from service.served_model import ServedModel
from service.store.assignment import Assignment


class Remembered(NamedTuple):
    """An answer that was stored before, and the model that gave it."""

    assigned: Assigned
    served: ServedModel


class DecidedItems(NamedTuple):
    """Items at consecutive places of a batch, each by itself: assigned now, remembered, or what is wrong with it.

    `rows` is what is to be stored before they are answered: what is assigned now, and in a dry run nothing.
    """

    served: ServedModel
    items: Sequence[Assigned | Remembered | Exception]
    rows: Sequence[Assignment]

    @property
    def failed(self) -> int:
        """How many have a problem."""
        return sum(isinstance(one, Exception) for one in self.items)

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.items)

    def but(self, errors: Mapping[int, Exception]) -> Self:
        """The same where some rows, by their places in `rows`, could not be stored."""
        places = [index for index, one in enumerate(self.items) if isinstance(one, Assigned)]
        items = list(self.items)
        for row, error in errors.items():
            items[places[row]] = error
        return self._replace(items=items)


class DecidedColumns(NamedTuple):
    """The same column by column, each of n values. Those in `wrong`, by their place, are not assigned, and what the
    columns say of them means nothing. `ids` is None in a dry run."""

    served: ServedModel
    customers: CheckedColumns
    placed: Placements
    confidence: Sequence[float]
    ids: Sequence[str] | None
    rows: Sequence[Assignment]
    wrong: Mapping[int, Exception]

    @property
    def failed(self) -> int:
        """How many have a problem."""
        return len(self.wrong)

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.customers)

    def decays(self) -> Decays | None:
        """Where the customers go by buying nothing; None where the model cannot tell."""
        outlook, customers = self.served.outlook, self.customers
        if outlook is None:
            return None
        return outlook.decays(customers.values, customers.known, customers.moments, self.placed.nearest)

    def next_segments(self) -> NextSegments | None:
        """Where they go by buying more; None where the model cannot tell."""
        outlook, customers = self.served.outlook, self.customers
        if outlook is None:
            return None
        return outlook.next_segments(customers.values, customers.known, self.placed.nearest)

    def but(self, errors: Mapping[int, Exception]) -> Self:
        """The same where some rows, by their places in `rows`, could not be stored."""
        places = [index for index in range(len(self.customers)) if index not in self.wrong]
        return self._replace(wrong={**self.wrong, **{places[row]: error for row, error in errors.items()}})


Decided = DecidedItems | DecidedColumns
