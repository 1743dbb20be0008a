"""What every test may ask for."""

import gc
import os

import pytest
from hypothesis import settings

# Before NumPy is imported, for all processes that tests start as well: tests run beside each other, and their threads
# would mostly wait for one another.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

pytest_plugins = ["tests.databases", "tests.realdata", "tests.published"]

# Machines are noisy: what a test says is never how long it may take.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz", type=int, default=1, metavar="TIMES", help="how many times as much wrong input is sent")


@pytest.fixture(scope="session")
def fuzz(request: pytest.FixtureRequest) -> int:
    """How many times as much wrong input is sent as in an ordinary run."""
    return int(request.config.getoption("--fuzz"))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What was imported stays: a service need not look at it again each time it collects its garbage, nor do tests."""
    gc.collect()
    gc.freeze()
    # Of what Ibis makes hardly anything stays; looking at it again and again takes a tenth of the time.
    gc.set_threshold(20_000, 10, 10)


def pytest_unconfigure() -> None:
    gc.unfreeze()  # or libraries that look for leaks as the process ends take what stays for one


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything can run (CI is set), a test that was skipped has not passed."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
