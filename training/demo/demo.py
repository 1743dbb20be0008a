"""The demo file as a whole: checks the wish, then writes it chunk by chunk."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from training.demo.catalogue import Catalogue
from training.demo.chunk import Chunk
from training.demo.clock import TradingClock
from training.demo.ledger import Ledger
from training.demo.writer import FORMATS, open_writer

# Customers made at once: enough to drown numpy's call overhead, few enough for tens of megabytes.
CHUNK_CUSTOMERS = 4_000
# A longer window means more rows per customer, so chunks of it hold fewer customers.
CHUNK_DAYS = 374


class DemoRefused(ValueError):
    """The demo cannot be written as asked; the message says what to do."""


def _nobody_watches(_: int) -> None:
    return None


def write_demo(
    out: Path,
    *,
    customers: int,
    seed: int,
    start: date,
    days: int,
    progress: Callable[[int], None] = _nobody_watches,
) -> int:
    """Write the transactions of `customers` over `days` from `start`; return the number of rows.

    The suffix of `out` decides the format: `.csv`, `.csv.gz` or `.parquet`. Every customer buys at
    least once. Rows are in order of time within a chunk of customers, not across chunks; invoice
    numbers rise through the whole file. The same arguments give the same bytes under the same
    versions of numpy and pyarrow. `progress` receives the customers done since its last call.
    The file appears under its name (replacing an older one) only when it is complete.
    Raises `DemoRefused` before anything is written.
    """
    _check(out, customers, seed, start, days)
    clock = TradingClock.over(start, days)
    if clock.total == 0:
        raise DemoRefused(
            f"The shop is closed on every day of this window: {start}, {days} day(s). Ask for more --days."
        )
    rows = 0
    with open_writer(out, start=start, days=days) as writer:
        for done, ledger in _ledgers(customers, seed, days, clock):
            writer.write(ledger)
            rows += ledger.rows
            progress(done)
    return rows


def _ledgers(customers: int, seed: int, days: int, clock: TradingClock) -> Iterator[tuple[int, Ledger]]:
    """Yield each chunk's number of customers and its rows."""
    catalogue = Catalogue.draw(np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,))))
    size = max(1, CHUNK_CUSTOMERS * CHUNK_DAYS // max(days, CHUNK_DAYS))
    invoice = Ledger.FIRST_INVOICE
    for index, first in enumerate(range(0, customers, size)):
        # Keyed by index, so what a chunk's customers do depends on no other chunk.
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index)))
        chunk = Chunk(first_customer=first, customers=min(size, customers - first))
        ledger = chunk.ledger(rng, catalogue, clock, first_invoice=invoice)
        invoice += ledger.invoices
        yield chunk.customers, ledger


def _check(out: Path, customers: int, seed: int, start: date, days: int) -> None:
    if not out.name.endswith(tuple(FORMATS)):
        raise DemoRefused(f"{out}: the format is unknown. Name a file that ends in {', '.join(FORMATS)}.")
    if not out.parent.is_dir():
        raise DemoRefused(f"{out}: the folder {out.parent} is missing. Create it first, or write elsewhere.")
    if out.is_dir():
        raise DemoRefused(f"{out} is a folder. Name a file.")
    if customers < 1:
        raise DemoRefused(f"--customers is {customers}. Ask for at least 1.")
    if seed < 0:
        raise DemoRefused(f"--seed is {seed}. Use a whole number that is not negative.")
    if days < 1:
        raise DemoRefused(f"--days is {days}. Ask for at least 1.")
    try:
        start + timedelta(days=days)
    except OverflowError:
        raise DemoRefused(f"{days} days from {start} pass the year 9999. Ask for fewer --days.") from None
