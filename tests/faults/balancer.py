"""A load balancer of the simplest kind: TCP, in turn, to those instances that say they are ready."""

import asyncio
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

CHECK_SECONDS = 0.1
ASK = b"GET /health/ready HTTP/1.1\r\nhost: balancer\r\nconnection: close\r\n\r\n"


class Balancer:
    """It sends nothing twice: what an instance takes and does not answer has failed."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.port = 0
        self._ports = ports
        self._ready: list[int] = []
        self._turn = 0
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def __enter__(self) -> Self:
        self._thread.start()
        self._listens.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    def sends_to(self, port: int) -> bool:
        """Whether that instance is thought to be ready."""
        return port in self._ready

    async def _run(self) -> None:
        self._end = asyncio.Event()
        listening = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = listening.sockets[0].getsockname()[1]
        checking = asyncio.create_task(self._check())
        self._listens.set()
        await self._end.wait()
        checking.cancel()
        listening.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _check(self) -> None:
        while True:
            said = await asyncio.gather(*map(_is_ready, self._ports))
            self._ready = [port for port, ready in zip(self._ports, said, strict=True) if ready]
            await asyncio.sleep(CHECK_SECONDS)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, to one instance to its end."""
        try:
            if self._ready:
                self._turn += 1
                port = self._ready[self._turn % len(self._ready)]
                theirs, ours = await asyncio.open_connection("127.0.0.1", port)
                forth, back = asyncio.create_task(_pump(reader, ours)), asyncio.create_task(_pump(theirs, writer))
                await asyncio.wait((forth, back), return_when=asyncio.FIRST_COMPLETED)
                for task in (forth, back):
                    task.cancel()
                ours.close()
        except OSError:
            pass  # nobody there: the client sees a closed connection
        finally:
            writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()


async def _is_ready(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(ASK)
        line = await reader.readline()
        writer.close()
    except OSError:
        return False
    return line.startswith(b"HTTP/1.1 200")
