"""From sources to cleaned lines, the same for every command: read, decide the shop's conventions, clean."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from models.customer.conventions import Conventions
from models.import_plan import ImportPlan
from training.cleaning import Cleaned, clean
from training.preparation.conventions import decide_conventions, forced_rules
from training.reading.lines import Lines
from training.reading.options import ReadOptions
from training.reading.read import read
from training.workspace import Workspace


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

    @property
    def plan(self) -> ImportPlan:
        """How the source was read, with the conventions found in it."""
        return self.lines.plan.model_copy(
            update={
                "conventions": self.conventions,
                "decisions": (*self.lines.plan.decisions, *self.evidence),
            }
        )


def prepare(
    sources: Sequence[str],
    workspace: Workspace,
    options: ReadOptions,
    *,
    now: datetime | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Raises UnreadableSource if the source will not do, or an option must decide.

    A saved plan brings its own conventions, which are then applied as they are.
    """
    forced_rules(options.rules)
    progress("reading")
    lines = read(sources, workspace, options)
    decided = decide_conventions(lines, workspace, options.rules, now or datetime.now(UTC))
    conventions, evidence = decided.conventions, decided.evidence
    if options.plan is not None and options.plan.conventions is not None:
        conventions = options.plan.conventions.model_copy(
            update={"statuses": dict(lines.statuses), "earliest": conventions.earliest, "currency": lines.currency}
        )
        evidence = ("The conventions are those of the saved plan.",)
    as_of = options.as_of or decided.end
    progress("cleaning")
    cleaned = clean(lines, conventions, as_of, workspace)
    return Prepared(lines, conventions, evidence, decided.end, as_of, cleaned)
