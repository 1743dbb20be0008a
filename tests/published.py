"""Models really trained, once for all tests: a registry with two versions of different shops' data."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from models.artifact import read_artifact
from models.model import SegmentationModel
from models.playbook import load_playbooks
from models.registry import Registry
from tests.sharing import made_once
from training.demo import write_demo
from training.fit import Order, fit
from training.reading.options import ReadOptions

FIRST_DAY, DAYS = date(2010, 12, 1), 374
SEGMENTS = range(4, 6)


@dataclass(frozen=True, slots=True)
class Published:
    """A registry in which `first` is active and `second`, trained after it, is not; `transactions` made `first`."""

    directory: Path
    first: str
    second: str
    transactions: Path


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Two versions, never to be changed by a test."""
    folder = made_once(tmp_path_factory, "published", _publish)
    first = Registry(folder / "models").active()
    (second,) = set(Registry(folder / "models").versions()) - {first}
    return Published(folder / "models", first, second, folder / "first.csv.gz")


def _publish(folder: Path) -> None:
    first, second = folder / "first.csv.gz", folder / "second.csv.gz"
    write_demo(first, customers=600, seed=1, start=FIRST_DAY, days=DAYS)
    write_demo(second, customers=500, seed=2, start=FIRST_DAY, days=DAYS)
    Registry(folder / "models").activate(trained(first, folder / "models"))
    trained(second, folder / "models")


@pytest.fixture(scope="session")
def models_dir(published: Published) -> Path:
    """The registry of `published`, to be read only."""
    return published.directory


@pytest.fixture
def own_models_dir(published: Published, tmp_path: Path) -> Path:
    """A copy of the registry that the test may damage."""
    return Path(shutil.copytree(published.directory, tmp_path / "models"))


@pytest.fixture(scope="session")
def model(published: Published) -> SegmentationModel:
    """The first of the published models, loaded."""
    return SegmentationModel.of(read_artifact(published.directory / published.first))


def trained(source: Path, models_dir: Path, signing_key: bytes | None = None) -> str:
    """The version of a model trained on a file and published; what is active stays active."""
    # So small a shop has no book-keeping entries that would prove their letter.
    options = ReadOptions(rules={"adjustment": True})
    order = Order([str(source)], models_dir, load_playbooks(), options, segments=SEGMENTS, signing_key=signing_key)
    return fit(order, lambda _: None).version
