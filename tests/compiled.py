"""Where `make test-compiled` runs tests, they test what was compiled. Named by hand: elsewhere nothing is compiled."""

from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LISTED = (ROOT / "service" / "compiled.txt").read_text("utf-8").split()


@pytest.mark.parametrize("path", LISTED)
def test_a_listed_module_is_a_library(path: str) -> None:
    file = import_module(path.removesuffix(".py").replace("/", ".")).__file__
    assert file is not None
    assert Path(file).is_relative_to(ROOT)
    assert file.endswith(".so")
