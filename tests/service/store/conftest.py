"""The store's parts over each database in turn."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from service.store.database import open_engine
from service.store.reader import Reader


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def empty_engine(empty_database_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(empty_database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def reader(engine: sa.Engine) -> Reader:
    return Reader(engine)
