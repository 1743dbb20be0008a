"""What goes wrong inside DuckDB, said in words that help whoever reads a file."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from training.errors import UnreadableSource

NO_ROOM = "there is not enough memory or disk space to read it. Free some, or set TMPDIR to a folder on a larger disk."


@contextmanager
def worded(name: str, advice: str) -> Iterator[None]:
    """Raises UnreadableSource, `{name}: {advice}`, in place of the engine's errors."""
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise UnreadableSource(f"{name}: {NO_ROOM}") from error
    except duckdb.Error as error:
        raise UnreadableSource(f"{name}: {advice}") from error
