"""Clients that post without a pause, and keep every answer they were given."""

import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from sys import intern
from typing import Any, NamedTuple, Self
from urllib.parse import quote

from benchmarks import bodies
from service.store.assignment import Assignment

CUSTOMERS = 200
REQUESTS_PER_CONNECTION = 200  # then a new one, which may come to another worker
PERHAPS_UNKNOWN = 0  # the segment may be the other model's: 200 or 404
JSON = {"content-type": "application/json"}
BAD = (b"{", b"[]", b'{"customer_id": "1"}', b'{"customer_id": "1", "features": {"recency": -1}}', b'{"colour": 1}')


class Told(NamedTuple):
    """What an answer and its row in the store must both say."""

    assignment_id: str
    customer_id: str
    as_of: datetime
    model_version: str
    segment: tuple[int, str]
    runner_up: tuple[int, str]
    confidence: float
    features: int  # a hash: there are millions of these

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any]) -> Self:
        return cls(
            answer["assignment_id"],
            intern(answer["customer_id"]),
            datetime.fromisoformat(answer["as_of"]),
            intern(answer["model_version"]),
            (answer["segment"]["id"], intern(answer["segment"]["name"])),
            (answer["runner_up"]["id"], intern(answer["runner_up"]["name"])),
            answer["confidence"],
            hash(frozenset(answer["features"].items())),
        )

    @classmethod
    def of_row(cls, row: Assignment) -> Self:
        return cls(
            row.id,
            row.customer_id,
            row.as_of,
            row.model_version,
            (row.segment_id, row.segment_name),
            (row.runner_up_id, row.runner_up_name),
            row.confidence,
            hash(frozenset(row.feature_values.items())),
        )


class Refusal(NamedTuple):
    """An answer that is neither 200 nor the 422 that was asked for."""

    call: str
    status: int
    body: str


class Call(NamedTuple):
    """A request, and the status it should be answered with."""

    method: str
    path: str
    body: bytes | None = None
    status: int = 200


class Callers:
    """`count` threads that call a service on this machine until stopped, or until it is gone.

    `bad` is the share of requests, and of the items of batches, that have something wrong with them. With `reconnect` a
    connection that breaks is opened anew and the request given up, which may be stored or not.
    """

    def __init__(
        self, port: int, count: int = 4, *, bad: float = 0.0, batch: int = 300, reconnect: bool = False, seed: int = 0
    ) -> None:
        self.answers: list[Told] = []
        self.refused: list[Refusal] = []
        self.calls: Counter[str] = Counter()
        self.broken = 0
        self._port, self._bad, self._batch, self._reconnect = port, bad, batch, reconnect
        self._customers = bodies.customers(CUSTOMERS)
        self._purchases = bodies.encoded(bodies.purchases(CUSTOMERS))
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(seed * 1000 + number,)) for number in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, seed: int) -> None:
        dice = random.Random(seed)
        while not self._stop.is_set():
            try:
                self._hold_a_connection(dice)
            except (OSError, http.client.HTTPException):
                self.broken += 1
                if not self._reconnect:
                    return

    def _hold_a_connection(self, dice: random.Random) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            for _ in range(REQUESTS_PER_CONNECTION):
                if self._stop.is_set():
                    return
                call = self._next(dice)
                connection.request(call.method, call.path, call.body, JSON if call.body is not None else {})
                answer = connection.getresponse()
                self._keep(call, answer.status, answer.read())
        finally:
            connection.close()

    def _next(self, dice: random.Random) -> Call:
        if dice.random() < self._bad:
            return Call("POST", "/segment", dice.choice(BAD), 422)
        kind = dice.randrange(20)
        if kind == 0:
            return Call("POST", "/segment/batch", self._several(dice))
        if kind == 1 and self.answers:
            return self._page(dice)
        if kind < 7:
            return Call("POST", "/segment", dice.choice(self._purchases))
        return Call("POST", "/segment", bodies.encoded([self._customer(dice)])[0])

    def _page(self, dice: random.Random) -> Call:
        known = dice.choice(self.answers)
        if dice.random() < 0.5:
            return Call("GET", f"/customers/{quote(known.customer_id)}/history?limit=20")
        return Call("GET", f"/segments/{known.segment[0]}/customers?limit=20", status=PERHAPS_UNKNOWN)

    def _customer(self, dice: random.Random) -> dict[str, object]:
        """One of the customers, with values that nobody had before."""
        chosen = dice.choice(self._customers)
        features: Any = chosen["features"]
        changed = {**features, "monetary": dice.uniform(1, 10_000), "recency": dice.uniform(0, features["tenure"])}
        at = {"as_of": f"2011-12-{dice.randrange(1, 29):02}T00:00:00Z"} if dice.random() < 0.5 else {}
        return {"customer_id": chosen["customer_id"], "features": changed, **at}

    def _several(self, dice: random.Random) -> bytes:
        items = bodies.encoded([self._customer(dice) for _ in range(self._batch)])
        return b"[%b]" % b",".join(b'{"bad": 1}' if dice.random() < self._bad else item for item in items)

    def _keep(self, call: Call, status: int, body: bytes) -> None:
        self.calls[f"{call.path if call.method == 'POST' else 'pages'} {status}"] += 1
        if status not in ((200, 404) if call.status == PERHAPS_UNKNOWN else (call.status,)):
            self.refused.append(Refusal(f"{call.method} {call.path}", status, body[:300].decode(errors="replace")))
        elif call.method == "POST" and status == 200:
            said = json.loads(body)
            items = said.get("results", [{"answer": said}])
            self.answers += [Told.of_answer(one["answer"]) for one in items if "answer" in one]
            problems = [one["problem"] for one in items if "problem" in one]
            self.refused += [
                Refusal(f"an item of {call.path}", one["status"], str(one)) for one in problems if one["status"] != 422
            ]
