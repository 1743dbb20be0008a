"""The one connection that writes: many assignments in one transaction, at the driver's own speed.

The statements are SQLAlchemy's, compiled once; they are executed by the driver itself, because
going through SQLAlchemy for each costs more than the database's own work.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Protocol

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.dialects import postgresql

from service.store.assignment import Assignment
from service.store.checkpointer import Checkpointer
from service.store.schema import assignments, customers
from service.store.trouble import refused, unavailable
from service.store.turn import Turn
from service.store.utc_time import utc_text

if TYPE_CHECKING:
    import psycopg  # where it is used, its import is: SQLite does without its 100 ms and 9 MB

# An assignment as the database takes it: its times spelt out, the fields in the table's order.
Entry = tuple[str, str, str, str, str, int, str, int, str, float, str, str | None]

ID: Final = 0  # its position in an Entry
CURRENT_COLUMNS = ["customer_id", "assignment_id", "segment_id", "model_version", "as_of", "confidence"]

# From this many rows on PostgreSQL takes COPY and a second statement faster than one statement with all rows as JSON,
# which needs a single round trip. COPY takes a quarter off the server's time from 500 rows on, and adds as much to
# Python's, which a batch has less of: it words answers meanwhile.
COPY_FROM = 5_000

# Rows that SQLite takes in one statement, and in each statement of a transaction. Few different numbers: the driver
# keeps the statements that it has prepared.
ONE_STATEMENT = 16
AT_ONCE = (512, 128, 32, 8, 1)

NULL = "\\N"
COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Ledger(Protocol):
    """Writes rows to the history and to the current rows, all of them or none."""

    @property
    def alive(self) -> bool:
        """Whether the connection can be used again; a dead one may have died during its COMMIT."""

    def write(self, rows: Sequence[Assignment]) -> None:
        """Commits all rows in one transaction.

        Raises RowRefused when the database refuses what a row says, StoreUnavailable when it does
        not do its work; then nothing was stored, unless the connection is no longer `alive`.
        """

    def holds(self, assignment_id: str) -> bool:
        """Whether this assignment is in the history."""

    def close(self) -> None:
        """Gives the connection back to the operating system."""


def open_ledger(engine: sa.Engine) -> Ledger:
    """A ledger over a new connection of its own. Raises StoreUnavailable."""
    try:
        pooled = engine.raw_connection()
    # The pool passes the driver's own errors on as they are.
    except (engine.dialect.loaded_dbapi.Error, sa.exc.SQLAlchemyError) as error:
        raise unavailable(error) from error
    connection: Any = pooled.driver_connection
    # Out of the pool: the readers' connections are not fewer for it.
    pooled.detach()
    kind = SqliteLedger if engine.dialect.name == "sqlite" else PostgresqlLedger
    return kind(connection, engine.dialect)


def entries(rows: Iterable[Assignment]) -> list[Entry]:
    """The rows as the database takes them. Raises ValueError for a time without a zone."""
    spelt: dict[int, str] = {}  # by identity: the rows of a batch share their moments

    def text(moment: datetime) -> str:
        found = spelt.get(id(moment))
        if found is None:
            found = spelt[id(moment)] = utc_text(moment)
        return found

    return [(row[0], row[1], text(row[2]), text(row[3]), *row[4:]) for row in rows]


class SqliteLedger:
    """A write of few rows is one statement, of many a transaction of a few long ones.

    The driver gives up Python's lock for every statement and waits to get it back from whoever computes meanwhile. So
    one beats the four of BEGIN, two inserts and COMMIT (a fifth more requests per second at 16 connections), and beats
    `executemany`: beside a thread that computes, 10,000 rows took it 26 s, not 0.2. Rows as values that are bound cost
    7 µs each, as one JSON text, which the statement had to take apart, 12.
    """

    # What the driver raises for a value it or a constraint refuses; the rest is the database's trouble.
    REFUSALS = (
        sqlite3.IntegrityError,
        sqlite3.DataError,
        sqlite3.InterfaceError,
        sqlite3.ProgrammingError,
        ValueError,
        TypeError,
        OverflowError,
    )

    # SQLite is in this process: there is no connection to lose.
    alive = True

    def __init__(self, connection: sqlite3.Connection, dialect: sa.Dialect) -> None:
        self._connection = connection
        self._cursor = connection.cursor()
        self._checkpointer = Checkpointer(connection)
        self._turn = Turn(connection)
        self._inserts: dict[int, str] = {}
        beginning, _, row = str(sa.insert(assignments).compile(dialect=dialect)).partition("VALUES ")
        for count in (*range(1, ONE_STATEMENT + 1), *AT_ONCE):
            self._inserts[count] = f"{beginning}VALUES {', '.join([row] * count)}"

    def write(self, rows: Sequence[Assignment]) -> None:
        try:
            appended = entries(rows)
            self._turn.take()
            # Outside a transaction a statement is one by itself, and the table's trigger writes the current rows too.
            if len(appended) <= ONE_STATEMENT:
                self._insert(appended)
            else:
                self._insert_many(appended)
            self._checkpointer.committed()
        except self.REFUSALS as error:
            raise refused(error) from error
        except sqlite3.Error as error:
            raise unavailable(error) from error
        finally:
            self._turn.give()

    def _insert_many(self, appended: Sequence[Entry]) -> None:
        self._cursor.execute("BEGIN IMMEDIATE")
        try:
            start = 0
            for size in AT_ONCE:
                while len(appended) - start >= size:
                    self._insert(appended[start : start + size])
                    start += size
            self._cursor.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._cursor.execute("ROLLBACK")

    def _insert(self, appended: Sequence[Entry]) -> None:
        self._cursor.execute(self._inserts[len(appended)], list(chain.from_iterable(appended)))

    def holds(self, assignment_id: str) -> bool:
        found = self._cursor.execute("SELECT 1 FROM assignments WHERE id = ?", (assignment_id,)).fetchone()
        return found is not None

    def close(self) -> None:
        self._checkpointer.close()
        self._turn.close()
        self._cursor.close()
        self._connection.close()


class PostgresqlLedger:
    """Few rows are one statement and one round trip; many are copied in."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]", dialect: sa.Dialect) -> None:
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

    def write(self, rows: Sequence[Assignment]) -> None:
        with _postgresql_told():
            appended = entries(rows)
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
    import psycopg

    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError, ValueError, TypeError) as error:
        raise refused(error) from error
    except psycopg.Error as error:
        raise unavailable(error) from error
