"""What SQLAlchemy's errors mean, in the store's words."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from service.store.trouble import unavailable

# What it says where the connections that it opened anew were no use either.
POOL_GAVE_UP = "This connection is closed"
IN_USE = "All connections to it are in use"


@contextmanager
def told() -> Iterator[None]:
    """Turns whatever the driver, its pool or the operating system raises inside into StoreUnavailable."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        # No statement: it failed while connecting.
        raise unavailable(error.orig or error, lost=error.connection_invalidated or not error.statement) from error
    except sa.exc.TimeoutError as error:  # all of the pool's connections are waiting
        raise unavailable(error, lost=True, kind=IN_USE) from error
    except sa.exc.InvalidRequestError as error:
        if str(error) != POOL_GAVE_UP:
            raise
        raise unavailable(error, lost=True) from error
    except OSError as error:  # the file beside the database, by which writers take turns
        raise unavailable(error) from error
