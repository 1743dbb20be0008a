"""Read and clean a source and say what is in it, without training: what an analyst does first."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from models.evidence import CleaningReport, Record, SourceFile
from training.cleaning import clean
from training.cleaning_report import cleaning_report
from training.customers import end_of_last_day
from training.reading.read import read
from training.summaries import summarise
from training.workspace import Workspace


class Inspection(Record):
    """What was read and what cleaning left of it at `as_of`."""

    as_of: datetime
    data: tuple[SourceFile, ...]
    notes: tuple[str, ...]
    cleaning: CleaningReport


def inspect(
    sources: Sequence[str],
    query: str | None,
    columns: Mapping[str, str],
    date_format: str | None,
    as_of: datetime | None,
    sheets: Sequence[str] = (),
) -> Inspection:
    """Raises UnreadableSource where the source will not do."""
    with Workspace() as workspace:
        lines = read(sources, workspace, query=query, columns=columns, date_format=date_format, sheets=sheets)
        moment = as_of or end_of_last_day(lines)
        cleaned = clean(lines, moment, workspace)
        report = cleaning_report(cleaned, summarise(cleaned).summaries)
        return Inspection(as_of=moment, data=lines.fingerprint, notes=lines.notes, cleaning=report)
