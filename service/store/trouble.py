"""What a database's error means: trouble with the database, not with what was asked."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from service.store.errors import StoreDamaged, StoreUnavailable

# What SQLAlchemy says where the connections that it opened anew were no use either.
POOL_GAVE_UP = "This connection is closed"


def unavailable(cause: BaseException, *, lost: bool = False) -> StoreUnavailable:
    """The sentence for a database that cannot be reached or does not do its work."""
    first_line = (str(cause).splitlines() or [""])[0].strip().rstrip(".")
    reason = first_line or type(cause).__name__
    if type(cause) is sqlite3.DatabaseError:  # what passes by itself is of its subclasses
        return StoreDamaged(
            f"The database file cannot be read ({reason}); restore a backup with: python -m service db restore FILE."
        )
    return StoreUnavailable(
        f"The database cannot be used just now ({reason});"
        " nothing is lost that was acknowledged, try again in a moment.",
        lost=lost,
    )


@contextmanager
def told() -> Iterator[None]:
    """Turns whatever the driver or its pool raises inside into StoreUnavailable."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        # No statement: it failed while connecting.
        raise unavailable(error.orig or error, lost=error.connection_invalidated or not error.statement) from error
    except sa.exc.TimeoutError as error:  # all of the pool's connections are waiting
        raise unavailable(error, lost=True) from error
    except sa.exc.InvalidRequestError as error:
        if str(error) != POOL_GAVE_UP:
            raise
        raise unavailable(error, lost=True) from error
