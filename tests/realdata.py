"""Where the real data is. A test that asks for it is marked `real_data`."""

import os
from pathlib import Path

import pytest

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for the real data, so that it can be run by itself."""
    for item in items:
        if {"real_data", "retail"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.real_data)
