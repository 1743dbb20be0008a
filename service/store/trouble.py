"""What a database's error means: trouble with the database, not with what was asked."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from service.store.errors import StoreUnavailable


def unavailable(cause: BaseException) -> StoreUnavailable:
    """The sentence for a database that cannot be reached or does not do its work."""
    first_line = (str(cause).splitlines() or [""])[0].strip().rstrip(".")
    reason = first_line or type(cause).__name__
    return StoreUnavailable(
        f"The database cannot be used just now ({reason});"
        " nothing is lost that was acknowledged, try again in a moment."
    )


@contextmanager
def told() -> Iterator[None]:
    """Turns whatever the driver or its pool raises inside into StoreUnavailable."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise unavailable(error.orig or error) from error
    except sa.exc.TimeoutError as error:
        raise unavailable(error) from error
