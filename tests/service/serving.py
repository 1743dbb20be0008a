"""The application driven in this process: its own settings, its own clock, no socket."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pydantic import SecretStr

from service.app import create_app
from service.settings import Settings

with warnings.catch_warnings():
    # Its makers have moved on to a successor of httpx; with httpx it works the same.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

__all__ = ["NOW", "TestClient", "serving", "settings_for", "until"]
NOW = datetime(2011, 12, 10, 9, 30, tzinfo=UTC)
PATIENCE = 60.0  # seconds after which what is waited for is not going to come


def settings_for(url: str, models_dir: Path, **others: Any) -> Settings:
    """Settings of a service that looks for another model all the time."""
    quick: dict[str, Any] = {"model_poll_seconds": 0.02}
    return Settings(database_url=SecretStr(url), models_dir=models_dir, **{**quick, **others})


@contextmanager
def serving(settings: Settings, clock: Callable[[], datetime] = lambda: NOW) -> Iterator[TestClient]:
    """A client of the started application; what fails inside is answered as it would be to anyone."""
    app = create_app(settings, clock)
    # A service keeps its process to itself and sets its memory accordingly; here others follow.
    with patch("service.app.tune_process"), TestClient(app, raise_server_exceptions=False) as client:
        yield client


def until(condition: Callable[[], bool]) -> None:
    """Ask until it holds; fails where it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "what was waited for has not come"
        time.sleep(0.01)
