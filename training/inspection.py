"""Read and clean a source and say what is in it, without training: what an analyst does first."""

from collections.abc import Sequence
from datetime import datetime

from models.evidence import CheckResult, CleaningReport, Record, SourceFile
from models.import_plan import ImportPlan
from training.cleaning_report import cleaning_report
from training.preparation.plausibility import run_checks
from training.preparation.prepare import prepare
from training.reading.options import NO_OPTIONS, ReadOptions
from training.summaries import summarise
from training.workspace import Workspace


class Inspection(Record):
    """What was read and how, what cleaning left of it at `as_of`, and whether that is plausible."""

    as_of: datetime
    data: tuple[SourceFile, ...]
    notes: tuple[str, ...]
    plan: ImportPlan
    cleaning: CleaningReport
    plausibility: tuple[CheckResult, ...]

    @property
    def plausible(self) -> bool:
        return all(check.passed for check in self.plausibility)


def inspect(sources: Sequence[str], options: ReadOptions = NO_OPTIONS) -> Inspection:
    """Raises UnreadableSource where the source will not do, or an option must decide."""
    with Workspace() as workspace:
        prepared = prepare(sources, workspace, options)
        summaries = summarise(prepared.cleaned)
        report = cleaning_report(prepared.cleaned, summaries.summaries)
        return Inspection(
            as_of=prepared.as_of,
            data=prepared.lines.fingerprint,
            notes=prepared.notes,
            plan=prepared.plan,
            cleaning=report,
            plausibility=run_checks(report, prepared.cleaned, summaries, prepared.lines),
        )
