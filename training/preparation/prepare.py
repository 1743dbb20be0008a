"""From sources to cleaned lines, the same for every command: read, decide the shop's conventions, clean."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from models.customer.conventions import Conventions
from training.cleaning import Cleaned, clean
from training.preparation.conventions import decide_conventions, forced_rules
from training.reading.lines import Lines
from training.reading.source import read
from training.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Options:
    """How to read and clean. `rules` are forced (true) or forbidden; `as_of` None is the end of the last day."""

    query: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    rules: Mapping[str, bool] = field(default_factory=dict)
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """The lines as read, what was decided of them and why, and what cleaning left of them at `as_of`.

    `end` is midnight UTC after the last plausible day, whatever `as_of` is.
    """

    lines: Lines
    conventions: Conventions
    evidence: tuple[str, ...]
    end: datetime
    as_of: datetime
    cleaned: Cleaned

    @property
    def notes(self) -> tuple[str, ...]:
        """What reading and the decisions have to say."""
        return (*self.lines.notes, *self.evidence)


def prepare(
    sources: Sequence[str],
    workspace: Workspace,
    options: Options,
    *,
    now: datetime | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Raises UnreadableSource where the source will not do, or an option must decide."""
    forced_rules(options.rules)
    progress("reading")
    lines = read(sources, workspace, query=options.query, columns=options.columns, date_format=options.date_format)
    decided = decide_conventions(lines, workspace, options.rules, now or datetime.now(UTC))
    as_of = options.as_of or decided.end
    progress("cleaning")
    cleaned = clean(lines, decided.conventions, as_of, workspace)
    return Prepared(lines, decided.conventions, decided.evidence, decided.end, as_of, cleaned)
