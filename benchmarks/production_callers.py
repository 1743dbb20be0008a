"""Clients that do what a service sees in production: customers who leave, requests sent twice, wrong keys."""

import http.client
import json
import random
from typing import Any

from benchmarks.bodies import encoded
from benchmarks.callers import JSON, Answered, Call
from benchmarks.streaming_callers import StreamingCallers
from benchmarks.told import Told

# of a thousand turns
TWICE, LEAVING, WRONG_KEY, BEYOND_SCOPE = 30, 5, 5, 5
SUPPRESSED = 0.1  # of those who leave
CUSTOMER = "/customers/{id}"


class ProductionCallers(StreamingCallers):
    """As StreamingCallers, with keys. `erased` are answers that were told, and of which nothing may be left."""

    def __init__(self, port: int, count: int = 4, **others: Any) -> None:
        super().__init__(port, count, **others)
        self.erased: list[Told] = []

    def _turn(self, connection: http.client.HTTPConnection, dice: random.Random) -> None:
        place = dice.randrange(1000)
        for share, turn in (
            (TWICE, self._send_twice),
            (LEAVING, self._come_and_leave),
            (WRONG_KEY, self._come_with_a_wrong_key),
            (BEYOND_SCOPE, self._go_beyond_the_scope),
        ):
            if place < share:
                turn(connection, dice)
                return
            place -= share
        super()._turn(connection, dice)

    def _send_twice(self, connection: http.client.HTTPConnection, dice: random.Random) -> None:
        """Under one key, which is done once; then another body under it, which is refused."""
        call = _keyed(self._single(dice), dice)
        if dice.random() < 0.2:
            call = call._replace(path="/segment/batch", body=self._several(dice))
        first = self._ask(connection, call)
        self._keep(call, first.status, first.body)
        again = self._ask(connection, call)
        # The problems of a batch name the request.
        if not again.replayed or _ids(again) != _ids(first) or (call.path == "/segment" and again.body != first.body):
            self._refuse(call, again.status, again.body, " sent again")
        other = self._single(dice) if call.path == "/segment" else call._replace(body=self._several(dice))
        self._expect(connection, call._replace(body=other.body, statuses=(422,)))

    def _come_and_leave(self, connection: http.client.HTTPConnection, dice: random.Random) -> None:
        """A customer of whom nobody else knows is assigned, exported, erased, and asked for in vain."""
        customer, told = f"L{dice.getrandbits(64):016x}", list[Told]()
        calls = [self._of(customer, dice) for _ in range(dice.randrange(1, 4))]
        for call in [*calls, _keyed(self._of(customer, dice), dice)]:
            if (answered := self._expect(connection, call)) is not None:
                told.append(Told.of_answer(json.loads(answered.body)))
        path = f"/customers/{customer}"
        export = Call("GET", f"{path}/export", route=f"{CUSTOMER}/export", scope="admin")
        exported = self._expect(connection, export)
        if exported and [one["id"] for one in json.loads(exported.body)["answers"]] != [
            one.assignment_id for one in told
        ]:
            self._refuse(export, exported.status, exported.body, ", which is not what was told")
        self._leave(connection, path, len(told), dice.random() < SUPPRESSED)
        self._expect(connection, Call("GET", path, statuses=(404,), route=CUSTOMER, scope="read"))
        self.erased += told

    def _leave(self, connection: http.client.HTTPConnection, path: str, answers: int, suppress: bool) -> None:
        asked = Call("DELETE", f"{path}?suppress=true" if suppress else path, route=CUSTOMER, scope="admin")
        left = self._expect(connection, asked)
        counts = {"answers": answers, "current": 1, "replays": 1, "suppressed": suppress}
        if left is not None and json.loads(left.body) != counts:
            self._refuse(asked, left.status, left.body, f", not {counts}")
        if suppress:
            customer = path.rpartition("/")[2]
            self._expect(connection, self._of(customer, random.Random(customer))._replace(statuses=(409,)))

    def _come_with_a_wrong_key(self, connection: http.client.HTTPConnection, dice: random.Random) -> None:
        wrong = self._single(dice)._replace(scope="wrong", statuses=(401, 429))  # the address may be known for them
        self._expect(connection, wrong)

    def _go_beyond_the_scope(self, connection: http.client.HTTPConnection, dice: random.Random) -> None:
        self._expect(connection, self._single(dice)._replace(scope="read", statuses=(403,)))

    def _expect(self, connection: http.client.HTTPConnection, call: Call) -> Answered | None:
        """The answer, where it has the status that it must have."""
        answered = self._ask(connection, call)
        if answered.status in call.statuses:
            return answered
        self._refuse(call, answered.status, answered.body)
        return None

    def _of(self, customer: str, dice: random.Random) -> Call:
        return Call("POST", "/segment", encoded([{**self._customer(dice), "customer_id": customer}])[0])


def _keyed(call: Call, dice: random.Random) -> Call:
    return call._replace(headers={**JSON, "idempotency-key": f"{dice.getrandbits(128):032x}"})


def _ids(answered: Answered) -> list[str | None]:
    said = json.loads(answered.body)
    items = said.get("results", [{"answer": said}])
    return [item["answer"].get("assignment_id") if "answer" in item else None for item in items]
