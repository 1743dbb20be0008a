"""Clients that send streams among the rest."""

import http.client
import random
from typing import Any

from benchmarks.callers import Call, Callers
from benchmarks.streams import FORMS


class StreamingCallers(Callers):
    """As Callers; `share` of the turns are streams of `length` customers.

    Of a stream that breaks off every answer that was received whole is kept: the service has acknowledged it.
    """

    def __init__(self, port: int, count: int = 4, *, share: float, length: int = 3_000, **others: Any) -> None:
        super().__init__(port, count, **others)
        self.streams = self.streams_cut = 0
        self.share, self._length = share, length

    def _turn(self, connection: http.client.HTTPConnection, dice: random.Random) -> None:
        if dice.random() < self.share:
            self._stream(connection, dice)
        else:
            super()._turn(connection, dice)

    def _stream(self, connection: http.client.HTTPConnection, dice: random.Random) -> None:
        form, customers = dice.choice(FORMS), [self._customer(dice) for _ in range(self._length)]
        headers = {"content-type": form.media_type}
        call = Call("POST", "/segment/batch", form.body(customers), headers=headers)
        answer = self._send(connection, call)
        body = bytearray()
        try:
            while piece := answer.read1():
                body += piece
        except (OSError, http.client.HTTPException):
            with self._counting:
                self.streams_cut += 1
            raise
        finally:
            received = form.received(bytes(body), customers) if answer.status == 200 else None
            self.answers += received.told if received else []
        self._count(call, answer.status)
        with self._counting:
            self.streams += 1
        if received is None or len(received.told) + len(received.problems) != self._length:
            self._refuse(call, answer.status, bytes(body[-300:]), f" as {form.media_type}")
        else:
            self._keep_problems(call, received.problems)
