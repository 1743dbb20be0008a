"""Writes to PostgreSQL, few rows in one statement, many by COPY."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg

from service.store.ledger import ID, Entry
from service.store.trouble import refused, unavailable

# From this many rows on PostgreSQL takes COPY and a second statement faster than one statement with all rows as JSON,
# which needs a single round trip. COPY takes a quarter off the server's time from 500 rows on, and adds as much to
# Python's, which a batch has less of: it words answers meanwhile.
COPY_FROM = 5_000

NULL = "\\N"
COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class PostgresqlLedger:
    """Few rows are one statement and one round trip; many are copied in."""

    def __init__(
        self, connection: psycopg.Connection[tuple[Any, ...]], write_few: str, replace: str, copy: str
    ) -> None:
        """`write_few` is the statement for rows as JSON, `copy` and then `replace` are those for many."""
        self._connection = connection
        # One statement is its own transaction: no round trips for BEGIN and COMMIT.
        connection.autocommit = True
        self._cursor = connection.cursor()
        self._write_few, self._replace, self._copy = write_few, replace, copy

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
    return msgspec.json.encode(rows).decode()


def _copied(entry: Entry) -> str:
    """A line of COPY's text format. Made here, because psycopg's own way costs three times as much a row, and holds
    Python's lock for it."""
    *told, products = entry  # all but the last are known
    line = "\t".join(map(str, told))
    if "\\" in line or "\n" in line or "\r" in line or line.count("\t") >= len(told):
        line = "\t".join(str(value).translate(COPY_ESCAPES) for value in told)
    return f"{line}\t{NULL if products is None else products.translate(COPY_ESCAPES)}\n"


@contextmanager
def _postgresql_told() -> Iterator[None]:
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError, ValueError, TypeError) as error:
        raise refused(error) from error
    except psycopg.Error as error:
        raise unavailable(error) from error
