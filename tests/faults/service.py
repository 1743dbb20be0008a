"""What is asked of a service in trouble."""

from typing import Any

import httpx

from tests.service.requests import by_features
from tests.service.server import Server
from tests.service.serving import until

# No answer may be waited for longer than this, whatever the database does.
BOUND = 30.0
# A key by the setting, which is known without a database; sent where none is asked for, it does no harm.
KEY = "k" * 32
WITH_KEY = {"authorization": f"Bearer {KEY}"}


def is_ready(running: Server) -> bool:
    return httpx.get(f"{running.url}/health/ready", timeout=BOUND).status_code == 200


def recovers(running: Server) -> None:
    """Waits until it is ready and stores again."""
    until(lambda: is_ready(running))
    until(lambda: _asked(running).status_code == 200)


def refuses(running: Server) -> dict[str, Any]:
    """The problem that it answers a customer with: a 503 that says when to try again."""
    answer = _asked(running)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    problem: dict[str, Any] = answer.json()
    return problem


def _asked(running: Server) -> httpx.Response:
    return httpx.post(f"{running.url}/segment", json=by_features(), headers=WITH_KEY, timeout=BOUND)


def goes_on_without_a_database(running: Server, known: bool = True) -> None:
    """All that needs none is answered; `known` tells that it was known once who is suppressed."""
    with httpx.Client(base_url=running.url, headers=WITH_KEY, timeout=BOUND) as client:
        assert client.get("/health/live").status_code == 200
        segments = client.get("/segments").json()["segments"]
        assert client.get(f"/segments/{segments[0]['id']}").status_code == 200
        assert client.get(f"/segments/{segments[0]['id']}/recommendations").status_code == 200
        models = client.get("/models").json()
        assert client.get(f"/models/{models['active']}").status_code == 200
        dry = client.post("/segment?dry_run=true", json=by_features())
        assert dry.status_code == (200 if known else 503), dry.text
