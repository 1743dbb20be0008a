"""Where the rows go: CSV, plain or gzipped, and Parquet."""

import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import date, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from training.demo.clock import Ints
from training.demo.ledger import PREFIXES, Ledger
from training.demo.shoppers import NO_NUMBER
from training.demo.vocabulary import COUNTRIES

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")


class Writer(Protocol):
    def write(self, ledger: Ledger) -> None: ...


@contextmanager
def open_writer(out: Path, *, start: date, days: int) -> Iterator[Writer]:
    """A writer of the format that the name of `out` ends in (see `FORMATS`).

    It writes beside `out`, which takes the new content in one step at the end, or, after an exception,
    stays as it was.
    """
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    opened = next(opened for suffix, opened in FORMATS.items() if out.name.endswith(suffix))
    try:
        with beside.open("wb") as file:
            with opened(file, start, days) as writer:
                yield writer
            file.flush()
            os.fsync(file.fileno())
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)


class CsvWriter:
    """Rows as text, quoted only where a comma demands it, dates like `12/1/2010 8:26`."""

    def __init__(self, file: BinaryIO | gzip.GzipFile, start: date, days: int) -> None:
        self._file = file
        self._days = pa.array([f"{d.month}/{d.day}/{d.year}" for d in (start + timedelta(n) for n in range(days))])
        self._minutes = pa.array([f"{minute // 60}:{minute % 60:02}" for minute in range(1440)])
        file.write(",".join(COLUMNS).encode() + b"\n")

    def write(self, ledger: Ledger) -> None:
        # pyarrow.csv quotes every text or none; lines joined in Arrow are faster too, as an array of
        # them lies in memory exactly as in the file.
        lines, catalogue = ledger.lines, ledger.catalogue
        day, minute = np.divmod(ledger.minute, 1440)
        when = pc.binary_join_element_wise(self._days.take(day), self._minutes.take(minute), " ")
        who = pc.binary_join_element_wise(_customers(ledger).fill_null(""), _countries(ledger, "\n"), ",")
        descriptions = pa.array([_quoted(text or "") for text in catalogue.descriptions])
        rows = pc.binary_join_element_wise(
            _invoice_numbers(ledger).take(lines.invoice),
            pa.array(catalogue.codes).take(lines.code),
            descriptions.take(lines.description),
            pa.array(lines.quantity).cast(pa.string()),
            when.take(lines.invoice),
            _prices(lines.pence).cast(pa.string()),
            who.take(lines.invoice),
            ",",
        )
        self._file.write(_text(rows))


class ParquetWriter:
    """Typed columns: timestamps without zone, whole quantities, invoice and customer numbers as text."""

    def __init__(self, file: BinaryIO, start: date, days: int) -> None:
        self._start = np.datetime64(start, "ms")
        # Dictionaries are how Parquet stores repeated text anyway. Not storing Arrow's own schema beside
        # it keeps the fact from readers, who see plain text columns.
        text = pa.dictionary(pa.int32(), pa.string())
        types = (text, text, text, pa.int64(), pa.timestamp("ms"), pa.float64(), text, text)
        self._schema = pa.schema(list(zip(COLUMNS, types, strict=True)))
        self._parquet = pq.ParquetWriter(file, self._schema, compression="zstd", store_schema=False)

    def write(self, ledger: Ledger) -> None:
        lines, catalogue = ledger.lines, ledger.catalogue
        when = self._start + ledger.minute * np.timedelta64(60_000, "ms")
        columns = [
            _per_line(_invoice_numbers(ledger), lines.invoice),
            _per_line(pa.array(catalogue.codes), lines.code),
            _per_line(pa.array(catalogue.descriptions), lines.description),
            pa.array(lines.quantity),
            pa.array(when[lines.invoice]),
            _prices(lines.pence),
            _per_line(_customers(ledger), lines.invoice),
            _per_line(_countries(ledger), lines.invoice),
        ]
        self._parquet.write_table(pa.table(columns, schema=self._schema))

    def close(self) -> None:
        self._parquet.close()


def _csv(file: BinaryIO, start: date, days: int) -> AbstractContextManager[Writer]:
    return nullcontext(CsvWriter(file, start, days))


@contextmanager
def _gzipped_csv(file: BinaryIO, start: date, days: int) -> Iterator[Writer]:
    # Without name and time in its header the same rows give the same bytes.
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=4, mtime=0) as zipped:
        yield CsvWriter(zipped, start, days)


def _parquet(file: BinaryIO, start: date, days: int) -> AbstractContextManager[Writer]:
    return closing(ParquetWriter(file, start, days))


FORMATS: dict[str, Callable[[BinaryIO, date, int], AbstractContextManager[Writer]]] = {
    ".csv": _csv,
    ".csv.gz": _gzipped_csv,
    ".parquet": _parquet,
}


def _invoice_numbers(ledger: Ledger) -> Any:
    prefixes = pa.array(PREFIXES).take(ledger.prefix)
    return pc.binary_join_element_wise(prefixes, pa.array(ledger.number).cast(pa.string()), "")


def _customers(ledger: Ledger) -> Any:
    """Per invoice; null for nobody and for guests."""
    return pa.array(ledger.customer, mask=ledger.customer == NO_NUMBER).cast(pa.string())


def _countries(ledger: Ledger, end: str = "") -> Any:
    return pa.array([f"{country}{end}" for country in COUNTRIES]).take(ledger.country)


def _prices(pence: Ints) -> Any:
    return pa.array(pence / 100.0)


def _per_line(values: Any, at: Ints) -> Any:
    """`values` at each place, as a dictionary array: the text itself is not repeated in memory."""
    encoded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(at), encoded.dictionary)


def _quoted(text: str) -> str:
    return f'"{text}"' if "," in text else text


def _text(rows: Any) -> memoryview:
    """All the strings of an Arrow array, end to end, without a copy."""
    _, offsets, data = rows.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)
    return memoryview(data)[: ends[len(rows)]]
