"""What a database's error means: trouble with the database, not with what was asked."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from service.store.errors import RowRefused, StoreDamaged, StoreError, StoreUnavailable

SUPPRESSED = "this customer is suppressed"  # what the trigger says, which knows no more

AWAY = "It does not answer"
NO_FILE = "Its file cannot be opened"
LOCKED = "It is locked by somebody else"
READ_ONLY = "It is read-only"
# By SQLite's primary code, or PostgreSQL's. The drivers' own words name hosts, users and files.
KINDS: Mapping[str, str] = {
    "SQLITE_BUSY": LOCKED,
    "SQLITE_CANTOPEN": NO_FILE,
    "SQLITE_FULL": "It has no room left",
    "SQLITE_IOERR": "Its disk fails",
    "SQLITE_LOCKED": LOCKED,
    "SQLITE_READONLY": READ_ONLY,
    "25006": READ_ONLY,
    "28000": "It does not let this service in",
    "28P01": "It does not let this service in",
    "3D000": "It is not there",
    "40001": LOCKED,
    "40P01": LOCKED,
    "42P01": "It lacks a table",
    "42703": "It lacks a column",
    "53100": "It has no room left",
    "53300": "It has too many connections",
    "55P03": LOCKED,
    "57014": "It took too long",
    "57P01": AWAY,
    "57P02": AWAY,
    "57P03": AWAY,
}


def unavailable(cause: BaseException, *, lost: bool = False, kind: str | None = None) -> StoreUnavailable:
    """The sentence for a database that cannot be reached or does not do its work. `kind` is of the cause where None."""
    reason = (str(cause).splitlines() or [""])[0].strip().rstrip(".") or type(cause).__name__
    if type(cause) is sqlite3.DatabaseError:  # what passes by itself is of its subclasses
        return StoreDamaged(
            "The database is damaged; whoever runs this service must put it right.",
            kind="Its file cannot be read",
            reason=f"its file cannot be read ({reason}); restore a backup with: python -m service db restore FILE",
        )
    return StoreUnavailable(
        "The database cannot be used just now; nothing is lost that was acknowledged, try again in a moment.",
        lost=lost,
        kind=_kind(cause) if kind is None else kind,
        reason=reason,
    )


def refused(cause: BaseException) -> RowRefused:
    """The sentence for a row that the database does not take. What the driver says may repeat what is in it."""
    first_line = (str(cause).splitlines() or [""])[0]
    suppressed = f" ({SUPPRESSED})" * (first_line == SUPPRESSED)
    diagnostics: Any = getattr(cause, "diag", None)
    named = [getattr(diagnostics, name, None) for name in ("table_name", "column_name", "constraint_name")]
    return RowRefused(
        f"The database refuses a row{suppressed}; none of the rows sent with it was stored,"
        " correct the row and send them again.",
        reason=" ".join(filter(None, [type(cause).__name__, _code(cause), *named])),
    )


def unstored(cause: Exception) -> StoreUnavailable:
    """The sentence for rows that could not be stored, for whatever reason."""
    if isinstance(cause, StoreError):
        return cause if isinstance(cause, StoreUnavailable) else StoreUnavailable(str(cause), reason=cause.reason)
    if isinstance(cause, OSError):
        return unavailable(cause)
    # what others say is not known, and may be of customers
    return StoreUnavailable("The rows could not be stored; send them again in a moment.", reason=type(cause).__name__)


def _kind(cause: BaseException) -> str:
    if isinstance(cause, OSError):
        return NO_FILE
    code = _code(cause)
    if code is None:
        return AWAY  # the client's side of a connection has no codes
    primary = "_".join(code.split("_")[:2])
    return KINDS.get(primary, "")


def _code(cause: BaseException) -> str | None:
    """What kind of error it is, as the database names it."""
    return getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None)
