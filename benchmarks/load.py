"""A closed-loop HTTP client: each connection sends its next request when the answer to the last one is there."""

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import uvloop


@dataclass(frozen=True, slots=True)
class Measured:
    """What one run of load saw: answers per second, and latencies in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    answers: int
    errors: int


def request(path: str, body: bytes, port: int) -> bytes:
    """The bytes of one POST."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Measured:
    """Load a server on this machine for so long, from a process of its own, with the requests in turn."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(theirs, port, list(requests), connections, seconds))
    worker.start()
    theirs.close()  # so that a worker that dies ends the waiting
    measured: Measured = ours.recv()
    worker.join()
    return measured


def _work(pipe: object, port: int, requests: list[bytes], connections: int, seconds: float) -> None:
    measured = uvloop.run(_load(port, requests, connections, seconds))
    pipe.send(measured)  # type: ignore[attr-defined]


async def _load(port: int, requests: list[bytes], connections: int, seconds: float) -> Measured:
    loop = asyncio.get_running_loop()
    clients = [_Client(requests, start) for start in range(connections)]
    for client in clients:
        await loop.create_connection(partial(_same, client), "127.0.0.1", port)
    started = time.perf_counter()
    deadline = started + seconds
    for client in clients:
        client.begin(deadline)
    await asyncio.gather(*(client.done for client in clients))
    elapsed = time.perf_counter() - started
    latencies = sorted(latency for client in clients for latency in client.latencies)
    count = len(latencies)
    return Measured(
        per_second=count / elapsed,
        p50_ms=latencies[count // 2] * 1e3 if count else 0.0,
        p99_ms=latencies[min(count - 1, int(count * 0.99))] * 1e3 if count else 0.0,
        answers=count,
        errors=sum(client.errors for client in clients),
    )


def _same(client: "_Client") -> "_Client":
    return client


class _Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, requests: list[bytes], start: int) -> None:
        self._requests = requests
        self._next = start
        self._head = bytearray()
        self._expected = 0
        self._received = 0
        self.latencies: list[float] = []
        self.errors = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def begin(self, deadline: float) -> None:
        self._deadline = deadline
        self._send()

    def data_received(self, data: bytes) -> None:
        if not self._expected:  # the head, which comes in one piece or a few; of the body only the length counts
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._head[:end]).lower()
            if not head.startswith(b"http/1.1 200"):
                self.errors += 1
            length = head[head.index(b"content-length:") + 15 :].split(b"\r\n", 1)[0]
            self._expected = end + 4 + int(length)
            self._received = len(self._head)
            self._head.clear()
        else:
            self._received += len(data)
        if self._received >= self._expected:
            self._answered()

    def _answered(self) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self._sent)
        self._expected = 0
        if now < self._deadline:
            self._send()
        else:
            self.done.set_result(None)
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.errors += 1
            self.done.set_result(None)

    def _send(self) -> None:
        body = self._requests[self._next % len(self._requests)]
        self._next += 1
        self._sent = time.perf_counter()
        self._transport.write(body)
