"""What a person stated about a source: everything that reading is otherwise to find out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from models.import_plan import ImportPlan


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The options of the command line that concern reading; each decides what the data would otherwise have to.

    `columns` are of fields (an empty name: no column holds the field), `numbers` gives an example of how the numbers
    of a column are written, `sheets` names the sheets of workbooks to read, `status_keep` the statuses of purchases,
    `currency` the one currency to read, `rates` a file of exchange rates. `rules` force (True) or forbid (False)
    cleaning rules. `plan` is a saved plan; the other options come before it. Unless
    `plan_must_fit`, columns are found anew in a table that has not those of the plan. `as_of` is the moment of the
    features, None the end of the last day.
    """

    query: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    numbers: Mapping[str, str] = field(default_factory=dict)
    sheets: Sequence[str] = ()
    status_keep: Sequence[str] | None = None
    currency: str | None = None
    rates: Path | None = None
    rules: Mapping[str, bool] = field(default_factory=dict)
    plan: ImportPlan | None = None
    plan_must_fit: bool = True
    as_of: datetime | None = None


NO_OPTIONS = ReadOptions()
