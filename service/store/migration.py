"""Bringing the database's schema to a revision, by Alembic; `service.store.database` asks for it where it is needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from service.store.engine_trouble import told
from service.store.errors import SuppressionsWouldBeLost, UnknownRevision
from service.store.schema import suppressions

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number, as long as every process takes the same one.
MIGRATION_LOCK = 7_395_174_021


def upgrade(engine: sa.Engine, revision: str) -> None:
    """Applies all migrations up to `revision`; of several processes at once one works, the rest wait."""
    with _migrating(engine) as config:
        command.upgrade(config, revision)


def downgrade(engine: sa.Engine, revision: str, lose_suppressions: bool = False) -> None:
    """Takes migrations back down to `revision`. Raises SuppressionsWouldBeLost where it has no suppression list, and
    somebody is on it, unless `lose_suppressions`.
    """
    with _migrating(engine) as config:
        connection: sa.Connection = config.attributes["connection"]
        listed = _suppressed(connection)
        command.downgrade(config, revision)
        if listed and _suppressed(connection) is None and not lose_suppressions:
            raise SuppressionsWouldBeLost(  # which undoes the transaction, and all that was taken down in it
                f"The list of the suppressed has {listed:,} customers, and revision {revision} has no such list: they "
                "would be assigned and stored again. Nothing was changed. Back up the database; to lose the list all "
                f"the same: python -m service db downgrade {revision} --lose-suppressions."
            )


def _suppressed(connection: sa.Connection) -> int | None:
    """How many are on the suppression list; None where there is none."""
    if not sa.inspect(connection).has_table(suppressions.name):
        return None
    return connection.execute(sa.select(sa.func.count()).select_from(suppressions)).scalar_one()


def pending(engine: sa.Engine) -> list[str]:
    """The revisions not yet applied, in the order in which `upgrade` would apply them."""
    scripts = ScriptDirectory.from_config(_config())
    with told(), engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_heads()
    try:
        missing = [script.revision for script in scripts.iterate_revisions("head", current or "base")]
    except (CommandError, RevisionError) as error:
        raise _unknown_revision() from error
    return missing[::-1]


def _config() -> Config:
    config = Config()
    # The configuration format reads % as the beginning of a reference.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@contextmanager
def _migrating(engine: sa.Engine) -> Iterator[Config]:
    """A configuration whose connection is in a transaction that only one process can hold."""
    config = _config()
    locking = engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
    with told(), locking.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Waiting for the other process, or building an index, may take longer than a request.
            driver: Any = connection.connection.driver_connection
            connection.detach()  # from the pool: nobody else is to have its patience
            driver.patience = None
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        config.attributes["connection"] = connection
        try:
            yield config
        except (CommandError, RevisionError) as error:
            raise _unknown_revision() from error


def _unknown_revision() -> UnknownRevision:
    return UnknownRevision(
        "The database's revision, or the one asked for, is not known to this version of the service;"
        " run the version that made it, or restore the backup taken before."
    )
