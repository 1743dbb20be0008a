"""The statements by which PostgreSQL is written to."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from service.store.assignment import Assignment
from service.store.schema import assignments, customers

CURRENT_COLUMNS = ["customer_id", "assignment_id", "segment_id", "model_version", "as_of", "confidence"]
COPY = f"COPY assignments ({', '.join(Assignment._fields)}) FROM STDIN"


def _newest_wins(insert: Any) -> Any:
    """The insert into `customers` that gives way to a newer row; the same on both databases."""
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=[customers.c.customer_id],
        set_={name: new[name] for name in CURRENT_COLUMNS[1:]},
        where=sa.tuple_(new.as_of, new.assignment_id) > sa.tuple_(customers.c.as_of, customers.c.assignment_id),
    )


def _replace_from(source: sa.FromClause) -> Any:
    """Makes the current rows of history rows, each customer once and in the customers' order.

    The order is what keeps two processes that write the same customers from waiting for each other.
    """
    winners = (
        sa.select(*[source.c["id" if name == "assignment_id" else name] for name in CURRENT_COLUMNS])
        .ext(postgresql.distinct_on(source.c.customer_id))
        .order_by(source.c.customer_id, source.c.as_of.desc(), source.c.id.desc())
    )
    return _newest_wins(postgresql.insert(customers).from_select(CURRENT_COLUMNS, winners))


def replace_from_history() -> Any:
    """Makes the current rows of the history rows with these `ids`."""
    ids = sa.bindparam("ids", type_=postgresql.ARRAY(sa.Text))
    source = sa.select(assignments).where(assignments.c.id == sa.any_(ids)).subquery()
    return _replace_from(source)


def append_and_replace() -> Any:
    """One statement for both tables, over a JSON list of lists."""
    text = sa.cast(sa.bindparam("entries", type_=sa.Text), postgresql.JSONB)
    entry = sa.func.jsonb_array_elements(text).column_valued("entry", joins_implicitly=True)
    fields = [_field(entry, place, column) for place, column in enumerate(assignments.c)]
    incoming = sa.select(*fields).cte("incoming")
    appended = (
        postgresql.insert(assignments)
        .from_select([column.name for column in assignments.c], sa.select(incoming))
        .cte("appended")
    )
    return _replace_from(incoming).add_cte(appended)


def _field(entry: Any, place: int, column: sa.Column[Any]) -> sa.Label[Any]:
    text = entry.op("->>", return_type=sa.Text())(sa.literal_column(str(place)))
    if isinstance(column.type, sa.String):
        # Not cast to the column's own type: a cast cuts what is too long, the column refuses it.
        # The "C" collation is the one the tables sort by.
        return sa.collate(sa.cast(text, sa.Text), "C").label(column.name)
    return sa.cast(text, column.type).label(column.name)
