"""Small demo shops, and what is made of them."""

import csv
import gzip
import io
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np

from models.artifact import Artifact
from models.model import SegmentationModel
from models.playbook import load_playbooks
from models.summary import Summaries
from training.customers import Customers
from training.demo import write_demo
from training.fit import Order, fit
from training.history import History
from training.preparation.prepare import prepare
from training.reading.options import NO_OPTIONS, ReadOptions
from training.summaries import NUMBERS, CustomerSummaries
from training.workspace import Workspace

FIRST_DAY = date(2010, 12, 1)


def quiet(_: str) -> None:
    """Nobody watches."""


def demo_shop(file: Path, customers: int, days: int, seed: int = 4) -> Path:
    """A demo shop's transactions."""
    write_demo(file, customers=customers, seed=seed, start=FIRST_DAY, days=days)
    return file


def rows_of(source: Path, encoding: str = "utf-8") -> list[dict[str, str]]:
    """The rows of a CSV, plain or gzipped."""
    with gzip.open(source, "rb") if source.suffix == ".gz" else source.open("rb") as file:
        return list(csv.DictReader(io.TextIOWrapper(io.BytesIO(file.read()), encoding, newline="")))


def written(out: Path, rows: Sequence[dict[str, str]]) -> Path:
    """The rows as a plain CSV."""
    with out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return out


def given_to_anybody(source: Path, out: Path, seed: int) -> Path:
    """The same shop with every invoice given to a customer at random: nobody has habits any more."""
    rows = rows_of(source)
    customers = sorted({row["CustomerID"] for row in rows} - {""})
    invoices = sorted({row["InvoiceNo"] for row in rows if row["CustomerID"]})
    drawn = np.random.default_rng(seed).choice(customers, len(invoices)).tolist()
    who = dict(zip(invoices, drawn, strict=True))
    return written(out, [{**row, "CustomerID": who.get(row["InvoiceNo"], "")} for row in rows])


def train(
    source: Path, models_dir: Path, segments: Sequence[int] = (4, 5), as_of: datetime | None = None,
    movers: Path | None = None,
) -> Artifact:  # fmt: skip
    """A published model; what is active stays active."""
    playbooks = load_playbooks()
    options = ReadOptions(as_of=as_of)
    return fit(Order([str(source)], models_dir, playbooks, options, segments=segments, movers=movers), quiet)


def history_of(source: Path | str, workspace: Workspace, horizon: int = 90) -> History:
    """The history of a file up to the end of its last day."""
    prepared = prepare([str(source)], workspace, NO_OPTIONS)
    return History(prepared.cleaned, prepared.as_of, horizon, workspace)


def placed_by(model: SegmentationModel, customers: Customers) -> dict[str, int]:
    """The segment id of each customer."""
    nearest = model.scorer.place_many(customers.matrix(model.features)).nearest
    ids = np.array(model.scorer.arrays.segment_ids)[nearest].tolist()
    return dict(zip(customers.known.ids, ids, strict=True))


def customers_with(**features: Sequence[float]) -> Customers:
    """Customers of whom nothing is known but these features."""
    found = {name: np.array(values, dtype=np.float64) for name, values in features.items()}
    n = len(next(iter(found.values())))
    nothing = Summaries(**{name: np.zeros(n) for name in NUMBERS}, country=[None] * n)
    return Customers(CustomerSummaries(tuple(f"{at:06}" for at in range(n)), nothing), found)
