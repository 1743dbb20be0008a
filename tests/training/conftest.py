"""Shops that several tests of training look at: trained once, never to be changed."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from models.artifact import Artifact, read_artifact
from models.registry import Registry
from tests.sharing import made_once
from tests.training.shops import demo_shop, train


@dataclass(frozen=True, slots=True)
class Shop:
    """Transactions, and the model made of them in a registry where nothing is active."""

    file: Path
    models_dir: Path
    artifact: Artifact


@pytest.fixture(scope="session")
def young_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Ninety days of a shop, too few to follow anyone; three of its customers bought what has no product code."""
    folder = made_once(tmp_path_factory, "young", _train)
    (version,) = Registry(folder / "models").versions()
    return Shop(folder / "young.csv", folder / "models", read_artifact(folder / "models" / version))


def _train(folder: Path) -> None:
    file = demo_shop(folder / "young.csv", customers=300, days=90)
    nameless = "".join(f"X{day},,,3,1/{day}/2011 9:00,2.5,nameless {day},France\n" for day in (3, 4, 5))
    file.write_text(file.read_text() + nameless)
    train(file, folder / "models")
