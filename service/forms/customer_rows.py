"""Rows of a table into customers: consecutive rows of one customer are one."""

from collections.abc import Iterator, Mapping
from typing import Any

from service.errors import BodyTooLarge, InvalidRequest
from service.faults import WHOLE_HISTORY
from service.forms.form import MOST_CUSTOMER_BYTES
from service.forms.layout import Layout
from service.forms.reader import Item
from service.served_model import ServedModel

Row = Mapping[str, Any]


class CustomerRows:
    """Takes rows one after another and gives back the customers they make.

    A row that could not be read fails alone; but amid the transactions of a customer it fails that customer, whose
    segment nobody could tell without it.
    """

    def __init__(self, layout: Layout, served: ServedModel) -> None:
        self._layout = layout
        self._strict = served.strict
        self._rows: list[Row] = []
        self._bytes = 0
        self._between: list[Exception] = []

    def add(self, row: Row | Exception, size: int = 0) -> Iterator[Item]:
        """The customers that are whole now; `size` is how many bytes the row took."""
        if not self._layout.of_transactions:
            yield row if isinstance(row, Exception) else self._validated([row])
        elif isinstance(row, Exception):
            if len(self._between) == self._layout.limit:  # nobody sends so many that are not a different table
                yield from self.end()
            self._between.append(row)
        else:
            if not self._rows or self._layout.identity(row) != self._layout.identity(self._rows[0]):
                yield from self.end()
            elif self._between:
                self._bytes = -1
            self._keep(row, size)

    def end(self) -> Iterator[Item]:
        """The last customer."""
        if self._rows:
            yield self._customer()
        if self._bytes >= 0:
            yield from self._between
        self._rows, self._bytes, self._between = [], 0, []

    def _keep(self, row: Row, size: int) -> None:
        if self._bytes >= 0:
            self._bytes += size
        # One more than may be: so many are refused, and the rest need not be remembered for that.
        if not self._rows or (len(self._rows) <= self._layout.limit and 0 <= self._bytes <= MOST_CUSTOMER_BYTES):
            self._rows.append(row)

    def _customer(self) -> Item:
        if self._bytes < 0:
            return self._between[0]
        if self._bytes > MOST_CUSTOMER_BYTES:
            return BodyTooLarge(
                f"the rows of this customer have more than {MOST_CUSTOMER_BYTES:,} bytes, and {WHOLE_HISTORY}, "
                "or send the customer as JSON to /segment"
            )
        return self._validated(self._rows)

    def _validated(self, rows: list[Row]) -> Item:
        try:
            return self._strict.validate(self._layout.request(rows))
        except InvalidRequest as error:
            return error.with_traceback(None)  # which would keep what was decoded
