"""Where the real data is, and the models of it. A test that asks for either is marked `real_data`."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.playbook import load_playbooks
from models.registry import Registry
from tests.sharing import made_once
from training.fit import Order, fit
from training.reading.options import ReadOptions

MONTH_BEFORE = datetime(2011, 11, 10, tzinfo=UTC)
DATA = Path(os.environ.get("SEGMENTATION_DATA_DIR", Path(__file__).parent.parent / "../shared/data")).resolve()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data. Tests that need it are skipped where it is not."""
    if not (DATA / "online_retail.csv.gz").is_file():
        pytest.skip(f"the real data is not in {DATA}; set SEGMENTATION_DATA_DIR to the folder that has it")
    return DATA


@pytest.fixture(scope="session")
def retail(real_data: Path) -> str:
    """The complete UCI Online Retail file."""
    return str(real_data / "online_retail.csv.gz")


@pytest.fixture(scope="session")
def real_models(retail: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry, to be read only: the model of the real shop a month before, and in its place the active one."""

    def publish(models_dir: Path) -> None:
        for as_of in (MONTH_BEFORE, None):
            order = Order([retail], models_dir, load_playbooks(), ReadOptions(as_of=as_of))
            Registry(models_dir).activate(fit(order, lambda _: None).version)

    return made_once(tmp_path_factory, "real", publish)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for the real data, so that it can be run by itself."""
    for item in items:
        if {"real_data", "retail"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.real_data)
