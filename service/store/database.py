"""Opening the database and bringing its schema to the right revision."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event

from service.store.errors import MigrationsMissing, UnusableDatabaseUrl
from service.store.trouble import told

VERSIONS = Path(__file__).parent / "migrations" / "versions"

SQLITE_PRAGMAS = (
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
POSTGRESQL_CONNECTION = {
    "application_name": "customer-segmentation",
    "connect_timeout": "5",
    # A connection whose other end vanished is given up after this long (milliseconds), also where nothing is sent.
    "tcp_user_timeout": "10000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}
POSTGRESQL_SESSION = "SET statement_timeout = '10s'; SET TIME ZONE 'UTC'"


class PoolUse(NamedTuple):
    """Connections: how many a pool keeps, how many are in use, how many are open beyond what it keeps."""

    size: int
    in_use: int
    overflow: int


def open_engine(url: str) -> sa.Engine:
    """The engine for `sqlite:///path`, `postgresql://…` or `postgres://…`; it connects when first used.

    Its errors say nothing of the values in a statement, which are customers' ids: errors are logged.

    Raises UnusableDatabaseUrl for any other URL, and for SQLite in memory.
    """
    parsed = _parse(url)
    return _open_sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _open_postgresql(parsed)


@contextmanager
def opened(url: str) -> Iterator[sa.Engine]:
    """The engine for the length of one command, with all tables there.

    SQLite is upgraded without being asked. Raises UnusableDatabaseUrl, MigrationsMissing, StoreUnavailable.
    """
    engine = open_engine(url)
    try:
        if engine.dialect.name == "sqlite":
            upgrade(engine)
        elif missing := pending(engine):
            raise MigrationsMissing(
                f"The database lacks {len(missing)} migration(s); run: python -m service db upgrade."
            )
        yield engine
    finally:
        engine.dispose()


def is_to_be_made(engine: sa.Engine) -> bool:
    """Whether it is a file that is not there yet; to open it would make it."""
    return engine.dialect.name == "sqlite" and not Path(engine.url.database or "").exists()


def pool_use(engine: sa.Engine) -> PoolUse:
    """How the engine's connections are used at this moment."""
    pool = engine.pool
    assert isinstance(pool, sa.QueuePool)  # noqa: S101 (what both kinds of engine here are made with)
    return PoolUse(pool.size(), pool.checkedout(), max(pool.overflow(), 0))


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Applies all migrations up to `revision`; of several processes at once one works, the rest wait."""
    if revision == "head" and _is_newest(engine):
        return
    from service.store import migration  # Alembic: 60 ms and 10 MB that a database in use has no need of

    migration.upgrade(engine, revision)


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Takes migrations back down to `revision` (`base` removes every table, with what is in it)."""
    from service.store import migration

    migration.downgrade(engine, revision)


def pending(engine: sa.Engine) -> list[str]:
    """The revisions not yet applied, in the order in which `upgrade` would apply them."""
    if _is_newest(engine):
        return []
    from service.store import migration

    return migration.pending(engine)


def _is_newest(engine: sa.Engine) -> bool:
    """Whether the last migration was applied, asked without Alembic; files begin with their revision."""
    newest = max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))
    with told(), engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return False
        applied = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
    return list(applied) == [newest]


def _parse(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError) as error:
        # The text itself is not repeated: it may hold a password.
        raise UnusableDatabaseUrl(
            "The database URL cannot be read; write sqlite:///path/to/file.sqlite3"
            " or postgresql://user:password@host/database."
        ) from error
    if "@" in (parsed.host or ""):  # what cannot be reached is named in the log, and this is half a password
        raise UnusableDatabaseUrl("The database URL has more than one @; write one in a password as %40.")
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return parsed
    raise UnusableDatabaseUrl(
        f"The database URL begins with {parsed.drivername}://, which is not supported;"
        " use sqlite:///path or postgresql://…."
    )


def _open_sqlite(url: sa.URL) -> sa.Engine:
    database = url.database or ":memory:"
    if ":memory:" in database or url.query.get("mode") == "memory":
        raise UnusableDatabaseUrl(
            "SQLite in memory gives each connection its own empty database and keeps nothing;"
            " name a file: sqlite:///path/to/file.sqlite3."
        )
    if not database.startswith("file:"):
        Path(database).expanduser().parent.mkdir(parents=True, exist_ok=True)
        url = url.set(database=str(Path(database).expanduser()))
    engine = sa.create_engine(url, pool_size=8, max_overflow=32, pool_timeout=5, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own BEGIN comes too late for schema changes and reads: the engine says it instead.
    connection.isolation_level = None
    _check_writable(connection)
    for pragma in SQLITE_PRAGMAS:
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


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _open_postgresql(url: sa.URL) -> sa.Engine:
    arguments = {name: value for name, value in POSTGRESQL_CONNECTION.items() if name not in url.query}
    engine = sa.create_engine(
        url,
        connect_args=arguments,
        pool_size=8,
        max_overflow=32,
        pool_timeout=5,
        hide_parameters=True,  # they hold customers' ids
    )
    event.listen(engine, "do_connect", _connect_postgresql)
    event.listen(engine, "connect", _prepare_postgresql)
    event.listen(engine, "checkout", _check_postgresql)
    return engine


def _connect_postgresql(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:
    from service.store.patient_connection import connect  # psycopg: 100 ms and 9 MB that SQLite does without

    return connect(*arguments, **options)


def _prepare_postgresql(connection: Any, _record: object) -> None:
    # Said after connecting and not as start-up options, which connection poolers refuse.
    connection.execute(POSTGRESQL_SESSION)
    connection.commit()


def _check_postgresql(connection: Any, _record: object, _proxy: object) -> None:
    """Before each use out of the pool. The pool takes another connection where this one is none any more."""
    if not connection.is_usable():
        raise sa.exc.DisconnectionError("its connection is lost")
