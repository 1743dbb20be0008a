"""`python -m benchmarks.stream [--customers N] [--form arrow|ndjson|csv]`: long streams, dry and stored."""

import argparse
import contextlib
import http.client
import io
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa

from benchmarks.bodies import NAMES
from benchmarks.demo import train
from benchmarks.server import Server
from benchmarks.service import Service

AT_ONCE = 65_536  # rows of a record batch, and of a piece of text
MEDIA_TYPES = {
    "arrow": "application/vnd.apache.arrow.stream",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One stream: customers answered per second, and by how many MB the service grew at most."""

    form: str
    stored: bool
    customers: int
    per_second: float
    grown_mb: float


def main(arguments: Sequence[str]) -> int:
    """Measure and print, one JSON object with --json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--form", choices=sorted(MEDIA_TYPES), default="arrow")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder)) as server:
        _stream(server, given.form, AT_ONCE, stored=True)  # so that what is only done once is done
        results = [_stream(server, given.form, given.customers, stored) for stored in (False, True)]
    if given.json:
        sys.stdout.write(json.dumps([asdict(one) for one in results]) + "\n")
        return 0
    for one in results:
        sys.stdout.write(
            f"{one.form:7}{'stored' if one.stored else 'dry run':8} {one.per_second:11,.0f} customers/s of "
            f"{one.customers:,}, {one.grown_mb:.0f} MB more\n"
        )
    return 0


@contextlib.contextmanager
def _service(folder: Path) -> Iterator[Server]:
    train(folder / "models")
    environment = {
        "SEGMENTATION_MODELS_DIR": str(folder / "models"),
        "SEGMENTATION_PORT": "{port}",
        "SEGMENTATION_DATABASE_URL": f"sqlite:///{folder}/stream.sqlite3",
    }
    with Service("service", environment, folder) as server:
        yield server


def _stream(server: Server, form: str, customers: int, stored: bool) -> Measured:
    """Sends in a thread and reads beside it, as a client of a long stream must."""
    pieces = list(_pieces(form, customers))
    process = psutil.Process(server.process.pid)
    before = most = process.memory_info().rss
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    connection.putrequest("POST", f"/segment/batch?dry_run={'false' if stored else 'true'}")
    connection.putheader("Content-Type", MEDIA_TYPES[form])
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    started = time.perf_counter()
    sending = threading.Thread(target=_send, args=(connection, pieces))
    sending.start()
    answer = connection.getresponse()
    received = 0
    while taken := answer.read1(1 << 20):
        received += len(taken)
        most = max(most, process.memory_info().rss)
    elapsed = time.perf_counter() - started
    sending.join()
    if answer.status != 200 or not received:
        raise RuntimeError(f"the service answered {answer.status}")
    return Measured(form, stored, customers, customers / elapsed, (most - before) / 2**20)


def _send(connection: http.client.HTTPConnection, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    connection.send(b"0\r\n\r\n")


def _pieces(form: str, customers: int) -> Iterator[bytes]:
    """The body, a piece per `AT_ONCE` customers."""
    writer: pa.RecordBatchStreamWriter | None = None
    out = io.BytesIO()
    for start in range(0, customers, AT_ONCE):
        batch = _batch(start, min(AT_ONCE, customers - start))
        if form == "arrow":
            writer = writer or pa.ipc.new_stream(out, batch.schema)
            writer.write_batch(batch)
            yield out.getvalue()
            out.seek(0)
            out.truncate()
        else:
            yield _text(form, batch, header=start == 0)
    if writer is not None:
        writer.close()
        yield out.getvalue()


def _batch(start: int, count: int) -> pa.RecordBatch:
    random = np.random.default_rng(start)
    orders = 1 + random.poisson(4, count)
    spent, tenure = random.lognormal(6.5, 1.1, count), random.uniform(20, 370, count)
    columns = (
        tenure * random.uniform(0, 1, count), orders.astype(float), spent, tenure, spent / orders,
        1.0 + random.poisson(40, count), tenure / orders, random.choice([1.0, 2.0, 6.0, 12.0], count),
    )  # fmt: skip
    ids = [str(10_000_000 + start + index) for index in range(count)]
    return pa.record_batch({"customer_id": ids, **dict(zip(NAMES, columns, strict=True))})


def _text(form: str, batch: pa.RecordBatch, header: bool) -> bytes:
    if form == "csv":
        rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        lines = [",".join(map(str, row)) for row in rows]
        return ("\n".join([*([",".join(batch.schema.names)] if header else []), *lines]) + "\n").encode()
    return "".join(
        json.dumps({"customer_id": row.pop("customer_id"), "features": row}) + "\n" for row in batch.to_pylist()
    ).encode()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
