"""Two instances behind a load balancer, restarted in turn under load."""

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.server import free_port
from tests.faults.balancer import Balancer
from tests.faults.load import Load
from tests.service.server import Server, server
from tests.service.serving import until

ROUNDS = 2
DRAIN_SECONDS = 1.5  # the balancer looks every tenth of a second


@pytest.mark.parametrize("workers", [1, 2])
def test_no_request_fails_and_nothing_acknowledged_is_lost(store: str, models_dir: Path, workers: int) -> None:
    ports = free_port(), free_port()
    with ExitStack() as stack:

        def started(port: int) -> Server:
            settings = {"models_dir": models_dir, "workers": workers, "drain_seconds": DRAIN_SECONDS}
            return stack.enter_context(server(database_url=store, port=port, **settings))

        instances = {port: started(port) for port in ports}
        balancer = stack.enter_context(Balancer(ports))
        until(lambda: all(map(balancer.sends_to, ports)))
        load = stack.enter_context(Load(balancer.port, 4, reconnect=False))
        for port in ports * ROUNDS:
            load.wait_for_answers(50)
            instances[port].signal(signal.SIGTERM)
            assert instances[port].wait() == 0
            assert not any("Traceback" in said for said in instances[port].log)
            instances[port] = started(port)
            until(lambda port=port: balancer.sends_to(port))  # type: ignore[misc]
        load.wait_for_answers(50)
        load.__exit__()
        assert load.broken == 0
        assert load.refused == []
    found = load.reckoned(store, models_dir)
    assert (found.faults, found.untold) == ([], 0)
