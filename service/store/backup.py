"""A SQLite database copied while it is in use, and put back."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from models.artifact import flush_directory
from service.store.errors import BackupRefused

BESIDE = ("", "-wal", "-shm")  # what SQLite's files are called after the database's own name
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


def restore(engine: sa.Engine, backup: Path, now: datetime) -> Path | None:
    """Puts a backup in the place of the database; where the one that was there is now, or None where none was.

    Raises BackupRefused, also while anybody has the database open.
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
        if there:
            _close_for_all(database)
            for end in BESIDE:
                if (file := Path(f"{database}{end}")).exists():
                    file.rename(f"{aside}{end}")
    return aside if there else None


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
        partial.unlink(missing_ok=True)


def _copy(database: Path, to: Path) -> None:
    """In one step, for which SQLite lets others go on writing to their log."""
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=rw", uri=True)) as source:
        source.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000:.0f}").close()
        with closing(sqlite3.connect(to)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE").close()  # one file; the service sets it as it needs it


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
