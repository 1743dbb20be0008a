"""Writes to PostgreSQL, few rows in one statement, many by COPY."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.dialects import postgresql

from service.store.assignment import Assignment
from service.store.ledger import ID, Entry
from service.store.schema import assignments, customers
from service.store.trouble import refused, unavailable

CURRENT_COLUMNS = ["customer_id", "assignment_id", "segment_id", "model_version", "as_of", "confidence"]

# From this many rows on PostgreSQL takes COPY and a second statement faster than one statement with all rows as JSON,
# which needs a single round trip. COPY takes a quarter off the server's time from 500 rows on, and adds as much to
# Python's, which a batch has less of: it words answers meanwhile.
COPY_FROM = 5_000

NULL = "\\N"
COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class PostgresqlLedger:
    """Few rows are one statement and one round trip; many are copied in."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]], dialect: sa.Dialect) -> None:
        self._connection = connection
        # One statement is its own transaction: no round trips for BEGIN and COMMIT.
        connection.autocommit = True
        self._cursor = connection.cursor()
        self._write_few = str(_append_and_replace().compile(dialect=dialect))
        self._replace = str(_replace_from_history().compile(dialect=dialect))
        self._copy = f"COPY assignments ({', '.join(Assignment._fields)}) FROM STDIN"

    @property
    def alive(self) -> bool:
        return not self._connection.closed

    def write(self, appended: Sequence[Entry]) -> None:
        with _postgresql_told():
            if len(appended) < COPY_FROM:
                self._cursor.execute(self._write_few, {"entries": _json(appended)}, prepare=True)
            else:
                self._write_many(appended)

    def holds(self, assignment_id: str) -> bool:
        with _postgresql_told():
            self._cursor.execute("SELECT 1 FROM assignments WHERE id = %s", (assignment_id,))
            return self._cursor.fetchone() is not None

    def close(self) -> None:
        self._cursor.close()
        self._connection.close()

    def _write_many(self, appended: Sequence[Entry]) -> None:
        with self._connection.transaction():
            with self._cursor.copy(self._copy) as copy:
                copy.write("".join(map(_copied, appended)))
            self._cursor.execute(self._replace, {"ids": [entry[ID] for entry in appended]})


def _json(rows: Sequence[tuple[Any, ...]]) -> str:
    # what is no number becomes null, which the column refuses: one row's fault, not the statement's
    return to_json(rows, inf_nan_mode="null").decode()


def _copied(entry: Entry) -> str:
    """A line of COPY's text format. Made here, because psycopg's own way costs three times as much a row, and holds
    Python's lock for it."""
    *told, products = entry  # all but the last are known
    line = "\t".join(map(str, told))
    if "\\" in line or "\n" in line or "\r" in line or line.count("\t") >= len(told):
        line = "\t".join(str(value).translate(COPY_ESCAPES) for value in told)
    return f"{line}\t{NULL if products is None else products.translate(COPY_ESCAPES)}\n"


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


def _replace_from_history() -> Any:
    ids = sa.bindparam("ids", type_=postgresql.ARRAY(sa.Text))
    source = sa.select(assignments).where(assignments.c.id == sa.any_(ids)).subquery()
    return _replace_from(source)


def _append_and_replace() -> Any:
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


@contextmanager
def _postgresql_told() -> Iterator[None]:
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError, ValueError, TypeError) as error:
        raise refused(error) from error
    except psycopg.Error as error:
        raise unavailable(error) from error
