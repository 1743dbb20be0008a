"""Opening the database and bringing its schema to the right revision."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import event

from service.store import sqlite_connection
from service.store.engine_trouble import told
from service.store.errors import MigrationsMissing, UnusableDatabaseUrl
from service.store.ledger_spec import LedgerSpec
from service.store.schema import assignments

VERSIONS = Path(__file__).parent / "migrations" / "versions"

POSTGRESQL_CONNECTION = {
    "application_name": "customer-segmentation",
    "connect_timeout": "5",
    # A connection whose other end vanished is given up after this long (milliseconds), also where nothing is sent.
    "tcp_user_timeout": "10000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}


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


def ledger_spec(engine: sa.Engine) -> LedgerSpec:
    """How this engine's database is written to."""
    arguments, options = engine.dialect.create_connect_args(engine.url)
    options.pop("context", None)  # how SQLAlchemy has values converted, which these statements have no need of
    if engine.dialect.name == "sqlite":
        insert = str(sa.insert(assignments).compile(dialect=engine.dialect))
        return LedgerSpec("sqlite", list(arguments), dict(options), [insert])
    # Imported where it is used: a process has one database, and the other's dialect takes 2 MB.
    from service.store.postgresql_statements import COPY, append_and_replace, replace_from_history

    statements = [str(one.compile(dialect=engine.dialect)) for one in (append_and_replace(), replace_from_history())]
    return LedgerSpec(
        "postgresql", list(arguments), {**_postgresql_options(engine.url), **options}, [*statements, COPY]
    )


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


def downgrade(engine: sa.Engine, revision: str, lose_suppressions: bool = False) -> None:
    """Takes migrations back down to `revision` (`base` removes every table, with what is in it).

    Raises SuppressionsWouldBeLost unless `lose_suppressions`.
    """
    from service.store import migration

    migration.downgrade(engine, revision, lose_suppressions)


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
    event.listen(engine, "connect", lambda connection, _record: sqlite_connection.prepare(connection))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _open_postgresql(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        url,
        connect_args=_postgresql_options(url),
        pool_size=8,
        max_overflow=32,
        pool_timeout=5,
        hide_parameters=True,  # they hold customers' ids
    )
    event.listen(engine, "do_connect", _connect_postgresql)
    event.listen(engine, "checkout", _check_postgresql)
    return engine


def _postgresql_options(url: sa.URL) -> dict[str, str]:
    return {name: value for name, value in POSTGRESQL_CONNECTION.items() if name not in url.query}


def _connect_postgresql(_dialect: object, _record: object, arguments: Any, options: Any) -> Any:
    from service.store.patient_connection import connect  # psycopg: 100 ms and 9 MB that SQLite does without

    return connect(*arguments, **options)


def _check_postgresql(connection: Any, _record: object, _proxy: object) -> None:
    """Before each use out of the pool. The pool takes another connection where this one is none any more."""
    if not connection.is_usable():
        raise sa.exc.DisconnectionError("its connection is lost")
