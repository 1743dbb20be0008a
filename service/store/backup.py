"""A SQLite database copied while it is in use, and put back."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from models.artifact import flush_directory
from service.store.audit import COMMAND_LINE, AuditEntry, record
from service.store.database import open_engine, upgrade
from service.store.erasures import Carried, carry_over, erasures_in
from service.store.errors import BackupRefused, StoreUnavailable
from service.store.schema import audit_head

BESIDE = ("", "-wal", "-shm")  # what SQLite's files are called after the database's own name
TURN = "-turn"  # and the file by which its writers take turns
WAIT_SECONDS = 5.0


def back_up(engine: sa.Engine, to: Path) -> None:
    """Writes the whole database, as it is at one moment, to a file that is not there yet; nobody has to wait for it.

    Raises BackupRefused.
    """
    database = _file_of(engine, "backed up", "pg_dump -Fc -f FILE URL")
    if to.exists():
        raise BackupRefused(f"{to} is there already; name a file that is not, or remove it.")
    if not database.is_file():
        raise BackupRefused(
            f"{database} is not there: nothing was stored yet, or SEGMENTATION_DATABASE_URL is another."
        )
    with _partial(to) as partial:
        _copy(database, partial)
        _check(partial)


class Restored(NamedTuple):
    """Where the database that was there is now, and what was carried over from it; None where none was, or nothing
    was to be carried over."""

    aside: Path | None
    carried: Carried | None


def restore(engine: sa.Engine, backup: Path, now: datetime, lose_suppressions: bool = False) -> Restored:
    """Puts a backup in the place of the database. Customers who were erased or suppressed since are so in it too,
    unless `lose_suppressions`.

    Raises BackupRefused, also while anybody has the database open, and where it is not known who was suppressed.
    """
    database = _file_of(engine, "restored", "pg_restore -d URL FILE")
    if not backup.is_file():
        raise BackupRefused(f"{backup} is not there; name a file that db backup wrote.")
    aside = database.with_name(f"{database.name}.before-{now:%Y%m%dT%H%M%SZ}")
    there = database.exists()
    if there and aside.exists():
        raise BackupRefused(f"{aside} is there already; try again in a second.")
    with _partial(database) as partial:
        _copy(backup, partial)
        _check(partial)
        carried = None
        if there:
            _close_for_all(database)
            if not lose_suppressions:
                carried = _carry_over(engine, partial, now)
        _log(engine, partial, AuditEntry(now, COMMAND_LINE, "database.restored", backup.name))
        if there:
            for end in BESIDE:
                if (file := Path(f"{database}{end}")).exists():
                    file.rename(f"{aside}{end}")
    return Restored(aside if there else None, carried)


def _carry_over(engine: sa.Engine, partial: Path, now: datetime) -> Carried:
    named = "To restore the backup without the suppressions and erasures made since, add --lose-suppressions."
    try:
        erasures = erasures_in(engine)
    except StoreUnavailable as error:
        raise BackupRefused(
            f"It cannot be read who was suppressed or erased since the backup ({error.reason}); nothing was changed. "
            f"{named}"
        ) from error
    finally:
        engine.dispose()  # its file is about to be moved
    if erasures is None:
        return Carried()
    with _opened(engine, partial) as copy:
        upgrade(copy)
        try:
            return carry_over(erasures, copy, now)
        except BackupRefused as error:
            raise BackupRefused(f"{error} {named}") from error


def _log(engine: sa.Engine, partial: Path, entry: AuditEntry) -> None:
    """Adds to the copy's own audit log; a backup of a version from before has none."""
    with _opened(engine, partial) as copy:
        with copy.connect() as connection:
            has_log = sa.inspect(connection).has_table(audit_head.name)
        if has_log:
            record(copy, entry)


@contextmanager
def _opened(engine: sa.Engine, file: Path) -> Iterator[sa.Engine]:
    """The engine of another file, which is one file again at the end."""
    other = open_engine(str(engine.url.set(database=str(file))))
    try:
        yield other
    finally:
        other.dispose()
    _leave_log(file)


def _leave_log(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE").close()  # the service sets it as it needs it


def _file_of(engine: sa.Engine, what: str, instead: str) -> Path:
    if engine.dialect.name != "sqlite":
        raise BackupRefused(
            f"Only SQLite can be {what} so; of PostgreSQL: {instead} (docs/operations.md has the commands)."
        )
    return Path(engine.url.database or "")


@contextmanager
def _partial(to: Path) -> Iterator[Path]:
    """A file beside `to` that gets its name once it is whole and on the disk, and is removed where that fails."""
    partial = to.with_name(f".{to.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(to)
        flush_directory(to.parent)
    except sqlite3.Error as error:
        raise BackupRefused(f"{to} could not be written ({error}); nothing was changed.") from error
    finally:
        for end in (*BESIDE, TURN):
            Path(f"{partial}{end}").unlink(missing_ok=True)


def _copy(database: Path, to: Path) -> None:
    """In one step, for which SQLite lets others go on writing to their log."""
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=rw", uri=True)) as source:
        source.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000:.0f}").close()
        with closing(sqlite3.connect(to)) as target:
            source.backup(target)
    _leave_log(to)


def _check(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        said = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
        if said != ["ok"]:
            raise BackupRefused(f"the copy is damaged ({said[0]}), and so is what it was made of; nothing was changed.")
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not {"alembic_version", "assignments"} <= tables:
            raise BackupRefused("that is a database of something else; nothing was changed.")


def _close_for_all(database: Path) -> None:
    """Carries over what is in its log. Raises BackupRefused where another connection is open."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        try:
            # Leaving the log takes that nobody else has the database open, at rest or not.
            mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        except sqlite3.OperationalError as error:
            raise BackupRefused(
                f"{database} is in use ({error}); stop the service, and whoever else has it open."
            ) from error
        except sqlite3.DatabaseError:
            return  # it is damaged: that is what it is replaced for
    if mode != "delete":
        raise BackupRefused(f"{database} is in use; stop the service, and whoever else has it open.")
