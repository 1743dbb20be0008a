"""The features of every customer in a source, as a table: what `POST /segment` and scoring take."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from models.features import MAIN_COUNTRY
from training.cleaning_report import cleaning_report
from training.customers import Customers, describe
from training.errors import UnreadableSource
from training.preparation.plausibility import Warn, run_checks, warn_of_failed
from training.preparation.prepare import prepare
from training.reading.options import ReadOptions
from training.summaries import summarise
from training.workspace import Workspace


def write_features(sources: Sequence[str], out: Path, options: ReadOptions, warn: Warn) -> int:
    """Write customer_id, as_of and every feature, one row per customer, to a .csv or .parquet; the rows written.

    The file appears whole or not at all. `warn` gets every check of plausibility that fails.
    Raises UnreadableSource where the source or the target will not do.
    """
    if out.suffix not in (".csv", ".parquet") or not out.parent.is_dir():
        raise UnreadableSource(f"cannot write {out}: name a .csv or .parquet file in a folder that exists")
    with Workspace() as workspace:
        prepared = prepare(sources, workspace, options)
        known = summarise(prepared.cleaned)
        report = cleaning_report(prepared.cleaned, known.summaries)
        warn_of_failed(run_checks(report, prepared.cleaned, known, prepared.lines), warn)
        table = _table(describe(known, prepared.as_of), prepared.as_of)
    partial = out.with_name(f".{out.name}.partial")
    try:
        if out.suffix == ".csv":
            pa.csv.write_csv(table, partial)
        else:
            pa.parquet.write_table(table, partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return int(table.num_rows)


def _table(customers: Customers, as_of: datetime) -> pa.Table:
    ids = customers.known.ids
    return pa.table(
        {
            "customer_id": pa.array(ids, pa.string()),
            "as_of": pa.array([as_of.isoformat()] * len(ids), pa.string()),
            **customers.features,
            MAIN_COUNTRY: pa.array(customers.known.summaries.country, pa.string()),
        }
    )
