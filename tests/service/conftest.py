"""The service over each database in turn, with the published models."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from models.artifact import read_artifact
from service.proving import Prover
from service.settings import described
from service.store.database import open_engine
from service.store.reader import Reader
from service.store.schema import verified_models
from tests.published import Published
from tests.service.serving import NOW, TestClient, serving, settings_for
from tests.sharing import made_once

Proofs = Sequence[Mapping[str, object]]
OWN = "own.sqlite3"


@pytest.fixture(scope="session", autouse=True)
def _bare_environment() -> Iterator[None]:
    """What is configured on this machine is no part of a test."""
    with pytest.MonkeyPatch.context() as patch:
        for name, _, _ in described():
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def proofs(published: Published, migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Proofs:
    """What a store remembers once both models were proved: that takes seconds, so it is done once."""

    def prove(folder: Path) -> None:
        engine = open_engine(_copied(migrated_sqlite, folder))
        prover = Prover(engine, Reader(engine))
        for version in (published.first, published.second):
            directory = published.directory / version
            prover.prove(read_artifact(directory), directory, NOW)
        engine.dispose()

    engine = open_engine(f"sqlite:///{made_once(tmp_path_factory, 'proofs', prove) / OWN}")
    with engine.connect() as connection:
        rows = [dict(row._mapping) for row in connection.execute(verified_models.select())]
    engine.dispose()
    assert {row["version"] for row in rows} == {published.first, published.second}
    return rows


@pytest.fixture
def store_url(database_url: str, proofs: Proofs) -> str:
    """A fresh database of each kind in turn that knows the published models to be proved."""
    return _knowing(database_url, proofs)


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, proofs: Proofs, tmp_path: Path) -> str:
    """The same, on SQLite alone: where the kind of database is no part of what is tested."""
    return _knowing(_copied(migrated_sqlite, tmp_path), proofs)


@pytest.fixture
def client(store_url: str, models_dir: Path) -> Iterator[TestClient]:
    """A client of a service of its own, on each database in turn."""
    with serving(settings_for(store_url, models_dir)) as client:
        yield client


@pytest.fixture(scope="module")
def shared_url(migrated_sqlite: Path, proofs: Proofs, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database that a module's tests share: where it does not matter what others stored."""
    return _knowing(_copied(migrated_sqlite, tmp_path_factory.mktemp("shared")), proofs)


@pytest.fixture(scope="module")
def shared_client(shared_url: str, models_dir: Path) -> Iterator[TestClient]:
    """A client of a service that a module's tests share."""
    with serving(settings_for(shared_url, models_dir)) as client:
        yield client


@pytest.fixture(scope="session")
def shoppers(published: Published) -> Mapping[str, list[dict[str, Any]]]:
    """The transactions of each customer of the first model's data, as clients send them."""
    found = defaultdict(list)
    with gzip.open(published.transactions, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["CustomerID"]:
                found[row["CustomerID"].removesuffix(".0")].append(
                    {
                        "invoice_no": row["InvoiceNo"],
                        "stock_code": row["StockCode"],
                        "description": row["Description"],
                        "quantity": int(row["Quantity"]),
                        "invoice_date": datetime.strptime(row["InvoiceDate"], "%m/%d/%Y %H:%M").isoformat(),  # noqa: DTZ007
                        "unit_price": float(row["UnitPrice"]),
                        "country": row["Country"],
                    }
                )
    return found


def _copied(migrated: Path, folder: Path) -> str:
    path = folder / OWN
    path.write_bytes(migrated.read_bytes())
    return f"sqlite:///{path}"


def _knowing(url: str, proofs: Proofs) -> str:
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(verified_models.insert(), proofs)
    engine.dispose()
    return url
