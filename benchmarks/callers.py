"""Clients that post without a pause, or at a pace, and keep every answer they were given."""

import http.client
import json
import random
import threading
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Self
from urllib.parse import quote

from benchmarks import bodies
from benchmarks.pace import Pace
from benchmarks.told import Told

CUSTOMERS = 200
TURNS_PER_CONNECTION = 200  # then a new one, which may come to another worker
JSON = MappingProxyType({"content-type": "application/json"})
BAD = (b"{", b"[]", b'{"customer_id": "1"}', b'{"customer_id": "1", "features": {"recency": -1}}', b'{"colour": 1}')
OPEN: Mapping[str, str] = MappingProxyType({})


class Refusal(NamedTuple):
    """An answer other than what was asked for."""

    call: str
    status: int
    body: str


class Call(NamedTuple):
    """A request, and the statuses it may be answered with. `route` is how metrics name the path, `scope` what the key
    that is sent with it may do."""

    method: str
    path: str
    body: bytes | None = None
    statuses: tuple[int, ...] = (200,)
    route: str = ""
    scope: str = "score"
    headers: Mapping[str, str] = JSON

    def kind(self, status: int) -> str:
        """What calls are counted by."""
        return f"{self.method} {self.route or self.path} {status}"


class Answered(NamedTuple):
    """What came back."""

    status: int
    body: bytes
    replayed: bool


class Callers:
    """`count` threads that call a service on this machine until stopped, or until it is gone.

    `bad` is the share of requests, and of the items of batches, that have something wrong with them. With `reconnect` a
    connection that breaks is opened anew and the request given up, which may be stored or not. `tokens` are keys by
    their scopes.
    """

    def __init__(
        self,
        port: int,
        count: int = 4,
        *,
        bad: float = 0.0,
        batch: int = 300,
        reconnect: bool = False,
        seed: int = 0,
        tokens: Mapping[str, str] = OPEN,
    ) -> None:
        self.answers: list[Told] = []
        self.refused: list[Refusal] = []
        self.calls: Counter[str] = Counter()
        self.broken = 0
        self.pace = Pace()
        self._port, self._bad, self._batch, self._reconnect = port, bad, batch, reconnect
        self._tokens = tokens
        self._counting = threading.Lock()
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
            except Exception as error:  # what nobody can read is a fault of the service, and must not end in silence
                self.refused.append(Refusal("an answer that cannot be read", 0, repr(error)))

    def _hold_a_connection(self, dice: random.Random) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            for _ in range(TURNS_PER_CONNECTION):
                if self._stop.is_set():
                    return
                self._turn(connection, dice)
        finally:
            connection.close()

    def _turn(self, connection: http.client.HTTPConnection, dice: random.Random) -> None:
        call = self._next(dice)
        answered = self._ask(connection, call)
        self._keep(call, answered.status, answered.body)

    def _ask(self, connection: http.client.HTTPConnection, call: Call) -> Answered:
        answer = self._send(connection, call)
        body = answer.read()
        self._count(call, answer.status)
        return Answered(answer.status, body, answer.headers.get("idempotency-replayed") == "true")

    def _send(self, connection: http.client.HTTPConnection, call: Call) -> http.client.HTTPResponse:
        self.pace.wait(self._stop)
        key = {"authorization": f"Bearer {self._tokens[call.scope]}"} if call.scope in self._tokens else {}
        connection.request(
            call.method, call.path, call.body, {**(call.headers if call.body is not None else {}), **key}
        )
        return connection.getresponse()

    def _count(self, call: Call, status: int) -> None:
        with self._counting:
            self.calls[call.kind(status)] += 1

    def _next(self, dice: random.Random) -> Call:
        if dice.random() < self._bad:
            return Call("POST", "/segment", dice.choice(BAD), (422,))
        kind = dice.randrange(20)
        if kind == 0:
            return Call("POST", "/segment/batch", self._several(dice))
        if kind == 1 and self.answers:
            return self._page(dice)
        if kind < 7:
            return Call("POST", "/segment", dice.choice(self._purchases))
        return self._single(dice)

    def _single(self, dice: random.Random) -> Call:
        return Call("POST", "/segment", bodies.encoded([self._customer(dice)])[0])

    def _page(self, dice: random.Random) -> Call:
        known = dice.choice(self.answers)
        if dice.random() < 0.5:
            path = f"/customers/{quote(known.customer_id)}/history?limit=20"
            return Call("GET", path, route="/customers/{id}/history", scope="read")
        path = f"/segments/{known.segment[0]}/customers?limit=20"
        # The segment may be the other model's.
        return Call("GET", path, statuses=(200, 404), route="/segments/{segment_id}/customers", scope="read")

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
        if status not in call.statuses:
            self._refuse(call, status, body)
        elif call.method == "POST" and status == 200:
            said = json.loads(body)
            items = said.get("results", [{"answer": said}])
            self.answers += [Told.of_answer(one["answer"]) for one in items if "answer" in one]
            self._keep_problems(call, [one["problem"] for one in items if "problem" in one])

    def _keep_problems(self, call: Call, problems: list[Any]) -> None:
        self.refused += [
            Refusal(f"an item of {call.path}", one["status"], str(one)) for one in problems if one["status"] != 422
        ]

    def _refuse(self, call: Call, status: int, body: bytes, why: str = "") -> None:
        self.refused.append(Refusal(f"{call.method} {call.path}{why}", status, body[:300].decode(errors="replace")))
