"""Read and clean a source and say what is in it, without training: what an analyst does first."""

from collections.abc import Sequence
from datetime import datetime

from models.customer.conventions import Conventions
from models.evidence import CleaningReport, Record, SourceFile
from training.cleaning_report import cleaning_report
from training.preparation.prepare import Options, prepare
from training.summaries import summarise
from training.workspace import Workspace


class Inspection(Record):
    """What was read, which conventions it has, and what cleaning left of it at `as_of`."""

    as_of: datetime
    data: tuple[SourceFile, ...]
    notes: tuple[str, ...]
    conventions: Conventions
    cleaning: CleaningReport


def inspect(sources: Sequence[str], options: Options) -> Inspection:
    """Raises UnreadableSource where the source will not do."""
    with Workspace() as workspace:
        prepared = prepare(sources, workspace, options)
        return Inspection(
            as_of=prepared.as_of,
            data=prepared.lines.fingerprint,
            notes=prepared.notes,
            conventions=prepared.conventions,
            cleaning=cleaning_report(prepared.cleaned, summarise(prepared.cleaned).summaries),
        )
