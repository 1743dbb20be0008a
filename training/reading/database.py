"""Rows of a database: a SQLAlchemy URL and a query, streamed into the workspace."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import URL, Connection, CursorResult, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from training.errors import UnreadableSource
from training.reading import cells
from training.reading.source_table import Opened, SourceTable
from training.workspace import Workspace

WHERE = "The query"


class _Dump:
    """The sha256 and size of rows' text: fields end with U+001F, rows with U+001E, a null is U+0000."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.bytes = 0

    def passing(self, rows: Iterator[Sequence[str | None]]) -> Iterator[Sequence[str | None]]:
        for row in rows:
            line = "".join(("\0" if cell is None else cell) + "\x1f" for cell in row) + "\x1e"
            data = line.encode("utf-8", "surrogatepass")
            self.sha256.update(data)
            self.bytes += len(data)
            yield row


def is_url(source: str) -> bool:
    """Whether a source is meant as a database and not as a path."""
    return "://" in source


def open_query(source: str, query: str, workspace: Workspace) -> Opened:
    """The query's rows as one table. Raises UnreadableSource, never with the URL's password."""
    url = _url(source)
    try:
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            return _read(connection, query, workspace)
    except (SQLAlchemyError, ImportError) as error:
        said = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        if url.password:
            said = said.replace(str(url.password), "***")
        raise UnreadableSource(
            f"{url.render_as_string(hide_password=True)}: the query failed: {said}. Check the URL and --query."
        ) from None


def _url(source: str) -> URL:
    try:
        url = make_url(source)
        backend = url.get_backend_name()
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError):
        # Not with what was given: a URL that cannot be taken apart may still hold a password.
        raise UnreadableSource(
            "The database URL is not understood, or its driver is not installed. "
            "It looks like postgresql+psycopg://user@host/name or sqlite:///file.db."
        ) from None
    # SQLite would make an empty database of a mistyped name.
    if backend == "sqlite" and url.database not in (None, "", ":memory:") and not Path(str(url.database)).exists():
        raise UnreadableSource(f"There is no SQLite database at {url.database}.")
    return url


def _read(connection: Connection, query: str, workspace: Workspace) -> Opened:
    streaming = connection.execution_options(stream_results=True, yield_per=cells.CHUNK)
    # A colon in a query is a cast or a time, not a parameter.
    result = streaming.execute(text(query.replace(":", r"\:")))
    keys = result.keys()
    names = tuple(name.strip() for name in keys)
    dump, parquet = _Dump(), workspace.file(".parquet")
    cells.write(dump.passing(_texts(result)), [f"c{index}" for index in range(len(names))], parquet)
    table = SourceTable(WHERE, names, workspace.backend.read_parquet(str(parquet)))
    return Opened("query", dump.sha256.hexdigest(), dump.bytes, (table,))


def _texts(result: CursorResult[tuple[object, ...]]) -> Iterator[Sequence[str | None]]:
    for row in result:
        yield [cells.written(cell) for cell in row]
