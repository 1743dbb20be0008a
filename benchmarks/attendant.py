"""What runs beside the callers in production: a Prometheus that scrapes, an orchestrator that asks for health."""

import http.client
import threading
from collections import Counter
from typing import Self

EVERY = 1.0  # seconds; production asks every 10 to 15
SCRAPES = ("/metrics", "/health/live", "/health/ready")


class Attendant:
    """Asks on a new connection each time, and counts as Callers do. `token` may do everything."""

    def __init__(self, port: int, token: str) -> None:
        self.calls: Counter[str] = Counter()
        self.faults: list[str] = []
        self._port, self._token = port, token
        self._counting = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def ask(self, method: str, path: str, route: str = "") -> tuple[int, bytes]:
        """Status and body; `route` is how metrics name the path."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path, headers={"authorization": f"Bearer {self._token}"})
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        with self._counting:
            self.calls[f"{method} {route or path} {answer.status}"] += 1
        return answer.status, said

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            for path in SCRAPES:
                try:
                    status, said = self.ask("GET", path)
                except (OSError, http.client.HTTPException) as error:
                    self.faults.append(f"GET {path} broke: {error!r}")
                    continue
                if status != 200:
                    self.faults.append(f"GET {path} was answered {status}: {said[:300].decode(errors='replace')}")
