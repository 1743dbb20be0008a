"""Read and clean a source and say what is in it, without training: what an analyst does first."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from models.evidence import CheckResult, CleaningReport, Record, SourceFile
from training.cleaning import clean
from training.cleaning_report import cleaning_report
from training.customers import end_of_last_day
from training.preparation.plausibility import run_checks
from training.reading.source import read
from training.summaries import summarise
from training.workspace import Workspace


class Inspection(Record):
    """What was read, what cleaning left of it at `as_of`, and whether that is plausible."""

    as_of: datetime
    data: tuple[SourceFile, ...]
    notes: tuple[str, ...]
    cleaning: CleaningReport
    plausibility: tuple[CheckResult, ...]

    @property
    def plausible(self) -> bool:
        return all(check.passed for check in self.plausibility)


def inspect(
    sources: Sequence[str],
    query: str | None,
    columns: Mapping[str, str],
    date_format: str | None,
    as_of: datetime | None,
) -> Inspection:
    """Raises UnreadableSource where the source will not do."""
    with Workspace() as workspace:
        lines = read(sources, workspace, query=query, columns=columns, date_format=date_format)
        moment = as_of or end_of_last_day(lines)
        cleaned = clean(lines, moment, workspace)
        summaries = summarise(cleaned)
        report = cleaning_report(cleaned, summaries.summaries)
        return Inspection(
            as_of=moment,
            data=lines.fingerprint,
            notes=lines.notes,
            cleaning=report,
            plausibility=run_checks(report, cleaned, summaries, lines),
        )
