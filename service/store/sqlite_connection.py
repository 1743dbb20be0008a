"""Opening a SQLite file the way this service needs it."""

import os
import sqlite3
from typing import Any

PRAGMAS = (
    "PRAGMA busy_timeout = 5000",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    # What is deleted is overwritten, whether SQLite was built that way or not.
    "PRAGMA secure_delete = ON",
    # Negative means kibibytes: enough for the upper levels of the trees of millions of rows.
    "PRAGMA cache_size = -16000",
    # Pages of log before a writer carries them over into the file itself; a thread beside it does so all the while.
    "PRAGMA wal_autocheckpoint = 8000",
    # After a burst the log gives its disk space back.
    "PRAGMA journal_size_limit = 67108864",
)
WRITE_AHEAD_ATTEMPTS = 50


def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
    """As `sqlite3.connect`. Raises sqlite3.Error."""
    connection: sqlite3.Connection = sqlite3.connect(*arguments, **options)
    try:
        prepare(connection)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Sets what each connection has. Raises sqlite3.Error."""
    # The driver's own BEGIN comes too late for schema changes and reads: the engine says it instead.
    connection.isolation_level = None
    _check_writable(connection)
    for pragma in PRAGMAS:
        connection.execute(pragma).close()
    _write_ahead(connection)


def _check_writable(connection: sqlite3.Connection) -> None:
    """On a read-only file system SQLite opens the file for reading, and then no connection of this process can write
    again before all are closed. So none is opened there."""
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    if not os.access(path, os.W_OK):
        error = sqlite3.OperationalError(f"{path} cannot be written; see its permissions and its file system")
        error.sqlite_errorname = "SQLITE_READONLY"
        raise error


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Sets the write-ahead log, which the file then keeps.

    Alone among locks, the one for this change is not waited for; so wait for whoever holds it
    (usually another process opening the same new file) the way a writer does, and ask again.
    """
    for _ in range(WRITE_AHEAD_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            # The low byte is the primary code; the rest says which kind of busy.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            connection.execute("BEGIN IMMEDIATE").close()
            connection.execute("ROLLBACK").close()
    connection.execute("PRAGMA journal_mode = WAL").close()
