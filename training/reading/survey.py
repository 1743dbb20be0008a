"""One look over a part before it is read: its distinct days, and which numbers are written with commas."""

from collections.abc import Mapping
from dataclasses import dataclass

from training.reading import dates, figures
from training.reading.dates import DateColumn
from training.reading.figures import FigureReading
from training.reading.source_part import Part
from training.reading.texts import text
from training.workspace import Workspace


@dataclass(frozen=True)
class Survey:
    """What decides how a part's texts are read. `dates` is None where its dates are dates already."""

    dates: DateColumn | None
    figures: Mapping[str, FigureReading]


def survey(part: Part, workspace: Workspace, rows: int | None) -> Survey:
    """Scans the first rows of a part, or all where `rows` is None: neither dates nor commas are understood from one."""
    table = part.table if rows is None else part.table.limit(rows)
    at = table["at"]
    looks = {field: table[field].contains(",").any() for field in figures.FIGURES if _is_text(part, field)}
    if dates.is_written(at):
        # First as it is written: to take apart some thousand moments is nothing, to take apart every row is seconds.
        moments = table.group_by(moment=at).aggregate(**looks)
        written = text(moments.moment)
        look = moments.group_by(day=dates.day(written)).aggregate(
            example=written.min(), **{field: moments[field].any() for field in looks}
        )
    elif looks:
        look = table.aggregate(**looks)
    else:
        return Survey(None, {})
    found = workspace.backend.create_table(workspace.name("survey"), look)
    return Survey(
        DateColumn(part.where, part.columns["at"], found) if dates.is_written(at) else None,
        {field: figures.decide(part, field) for field in looks if found[field].any().to_pyarrow().as_py()},
    )


def _is_text(part: Part, field: str) -> bool:
    return field in part.columns and bool(part.table[field].type().is_string())
