"""One workspace for all tests of a module: to open a database takes longer than most of them."""

from collections.abc import Iterator

import pytest

from training.workspace import Workspace


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as opened:
        yield opened
