"""What the columns of a table hold: a customer's features in each row, or one of a customer's transactions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from models.features import MAIN_COUNTRY
from service.errors import Fault, InvalidRequest
from service.request import Transaction
from service.served_model import ServedModel

CUSTOMER_ID = "customer_id"
AS_OF = "as_of"
TRANSACTION = tuple(Transaction.model_fields)
NUMBERS = {"quantity", "unit_price"}
MOST_COLUMNS = 10_000  # more than any model has


class Layout:
    """The columns of one table, by their names. Raises InvalidRequest where a model cannot be asked with them."""

    def __init__(self, columns: Sequence[str], served: ServedModel) -> None:
        if len(columns) > MOST_COLUMNS:
            raise InvalidRequest([Fault("", f"has {len(columns):,} columns, and may have at most {MOST_COLUMNS:,}")])
        self.columns = tuple(columns)
        described = {*served.model.described_by, *([] if served.model.columns else [MAIN_COUNTRY])}
        named = set(columns) - {CUSTOMER_ID, AS_OF}
        of_transactions = not served.model.columns and named <= set(TRANSACTION) and "quantity" in named
        known, needed = (
            (TRANSACTION, [name for name, field in Transaction.model_fields.items() if field.is_required()])
            if of_transactions
            else (tuple(described), served.model.deciding)
        )
        there = set(columns)
        faults = [
            *(Fault("", f"the column {name[:60]!r} is there twice; send it once") for name in _twice(columns)),
            *(Fault("", f"lacks the column {name!r}; send it") for name in (CUSTOMER_ID, *needed) if name not in there),
            *(
                Fault("", f"the column {name[:60]!r} is not known here; remove it or correct its name")
                for name in columns
                if name in named and name not in known
            ),
        ]
        if faults:
            raise InvalidRequest(faults[:20])
        self.of_transactions = of_transactions
        self.values = tuple(name for name in columns if name in named)
        # What is not text in words: a table of text has them as texts.
        self.numbers = frozenset(NUMBERS if of_transactions else set(served.model.manifest.ranges))
        self.limit = served.limits.transactions

    def identity(self, row: Mapping[str, Any]) -> tuple[Any, Any]:
        """What rows of one customer have in common."""
        return row[CUSTOMER_ID], row.get(AS_OF)

    def request(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The request that rows of one customer make, to be validated; what is None is not known."""
        values = [{name: row[name] for name in self.values if row[name] is not None} for row in rows]
        customer_id, as_of = self.identity(rows[0])
        told = {} if as_of is None else {AS_OF: as_of}
        if self.of_transactions:
            return {CUSTOMER_ID: customer_id, **told, "transactions": values}
        return {CUSTOMER_ID: customer_id, **told, "features": values[0]}


def _twice(columns: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(columns).items() if count > 1]
