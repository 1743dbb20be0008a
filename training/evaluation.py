"""What a model trained at a cut-off is worth in the days after: fitted on the past alone, judged by what came."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from threadpoolctl import threadpool_limits

from models.scorer import Scorer
from training.backtest import Trial
from training.cleaning import clean
from training.cleaning_report import cleaning_report
from training.errors import UnreadableSource
from training.history import History
from training.preparation.plausibility import Warn, run_checks, warn_of_failed
from training.preparation.prepare import prepare
from training.reading.options import NO_OPTIONS, ReadOptions
from training.selection import Progress
from training.study import Wish, study
from training.verdict import Verdict
from training.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Question:
    """What to evaluate: the sources as for fitting, the cut-off and how many days after it count."""

    sources: Sequence[str]
    cut_off: datetime
    horizon: int
    wish: Wish
    options: ReadOptions = NO_OPTIONS
    assignments: Path | None = None


def evaluate(question: Question, threads: int, progress: Progress, warn: Warn) -> Verdict:
    """Fit on what was known at the cut-off, place every customer known then as the service would, and look after.

    `warn` gets every check of plausibility that fails.
    Raises UnreadableSource where the data ends before the horizon does, TooFewCustomers where there are too few.
    """
    with Workspace() as workspace, threadpool_limits(threads):
        over = question.cut_off + timedelta(days=question.horizon)
        prepared = prepare(question.sources, workspace, replace(question.options, as_of=over), progress=progress)
        last = prepared.end
        if last < over:
            longest = (last - question.cut_off).days
            shorter = f", or --horizon {longest} or less" if longest > 0 else ""
            raise UnreadableSource(
                f"the purchases end on {last - timedelta(days=1):%Y-%m-%d}, and {question.horizon} days after "
                f"{question.cut_off:%Y-%m-%d} go on to {over:%Y-%m-%d}; give --cut-off "
                f"{last - timedelta(days=question.horizon):%Y-%m-%d} or earlier{shorter}"
            )
        cleaned = clean(prepared.lines, prepared.conventions, question.cut_off, workspace)
        known = History(cleaned, question.cut_off, question.horizon, workspace)
        customers = known.customers(question.cut_off)
        report = cleaning_report(cleaned, customers.known.summaries)
        warn_of_failed(run_checks(report, cleaned, customers.known, prepared.lines), warn)
        found = study(known, customers, question.wish, progress)
        segmentation = found.segmentation
        values = customers.matrix(segmentation.recipe.features)
        placed = Scorer(segmentation.arrays).place_many(values).nearest
        progress("looking at what came after")
        whole = History(prepared.cleaned, over, question.horizon, workspace)
        try:
            trial = Trial(whole.snapshot(question.cut_off), question.horizon, question.wish.seed)
        except ValueError as error:
            raise UnreadableSource(f"the days after {question.cut_off:%Y-%m-%d} tell nothing: {error}") from error
        after = trial.report(segmentation.option.name, placed)
        if question.assignments is not None:
            _write(question.assignments, customers.known.ids, placed + 1)
    return Verdict(
        cut_off=question.cut_off,
        horizon=question.horizon,
        k=segmentation.k,
        auc=after.model.auc.value,
        r_squared=after.model.r_squared.value,
        stability=segmentation.stability(range(segmentation.k)).ari.value,
        smallest_share=round(int(np.min(np.bincount(placed, minlength=segmentation.k))) / len(placed), 4),
        kendall=after.model.kendall,
        halves=segmentation.halves,
        baseline_auc=after.baseline.auc.value,
        baseline_r_squared=after.baseline.r_squared.value,
        limit_auc=after.limit.auc.value,
        limit_r_squared=after.limit.r_squared.value,
        after=after,
        selection=segmentation.selection,
        warnings=found.warnings,
        unproved=found.unproved,
    )


def _write(out: Path, ids: Sequence[str], segments: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    """customer_id and segment, whole or not at all."""
    if not out.parent.is_dir():
        raise UnreadableSource(f"cannot write {out}: its folder does not exist")
    partial = out.with_name(f".{out.name}.partial")
    table = pa.table({"customer_id": pa.array(ids, pa.string()), "segment": pa.array(segments)})
    try:
        pyarrow.csv.write_csv(table, partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
