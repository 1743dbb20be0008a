"""The service as a process over databases that tests may do anything to."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.store.database import open_engine, upgrade
from service.store.schema import verified_models
from tests.faults.postgresql import Postgresql
from tests.faults.small_disk import SmallDisk, small_disk
from tests.service.conftest import Proofs, _bare_environment, proofs

__all__ = ["_bare_environment", "proofs"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that is here is `faults`."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """Everyone may enter it."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql(server_folder: Path) -> Iterator[Postgresql]:
    """A running server of the tests' own; each leaves it running and writable."""
    server = Postgresql(server_folder)
    server.start()
    yield server
    server.end()


@pytest.fixture
def disk(server_folder: Path) -> Iterator[SmallDisk]:
    """A small file system, freshly mounted."""
    with small_disk(server_folder / f"disk-{secrets.token_hex(4)}", megabytes=24) as disk:
        yield disk


@pytest.fixture
def postgresql_store(postgresql: Postgresql, proofs: Proofs) -> str:
    """A migrated empty database on it that knows the published models to be proved."""
    return _prepared(postgresql.make(f"faults_{secrets.token_hex(6)}"), proofs)


@pytest.fixture
def sqlite_store(tmp_path: Path, proofs: Proofs) -> str:
    """The same in a file."""
    return _prepared(f"sqlite:///{tmp_path / 'store.sqlite3'}", proofs)


@pytest.fixture
def store(backend: str, request: pytest.FixtureRequest) -> str:
    """On each kind of database in turn."""
    url: str = request.getfixturevalue(f"{backend}_store")
    return url


@pytest.fixture
def store_on_disk(backend: str, disk: SmallDisk, request: pytest.FixtureRequest, proofs: Proofs) -> Iterator[str]:
    """The same with its tables on the small file system."""
    if backend == "sqlite":
        yield _prepared(f"sqlite:///{disk.path / 'store.sqlite3'}", proofs)
        return
    server: Postgresql = request.getfixturevalue("postgresql")
    name, tables = f"faults_{secrets.token_hex(6)}", disk.path / "tables"
    tables.mkdir()
    yield _prepared(server.make(name, tables), proofs)
    server.say(f"DROP DATABASE {name} WITH (FORCE)", f"DROP TABLESPACE {name}")  # before the disk goes


def _prepared(url: str, proofs: Proofs) -> str:
    engine = open_engine(url)
    upgrade(engine)
    with engine.begin() as connection:
        connection.execute(verified_models.insert(), proofs)
    engine.dispose()
    return url
