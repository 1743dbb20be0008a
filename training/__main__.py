"""The training command line: `python -m training fit | evaluate | show | report | inspect | features | demo`."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from models.artifact import Artifact, read_artifact
from models.errors import ModelError
from models.evidence import CheckResult
from models.playbook import load_playbooks
from models.registry import Registry
from training import show
from training.demo import DemoRefused, write_demo
from training.errors import Implausible, TooFewCustomers, UnreadableSource
from training.feature_table import write_features
from training.inspection import inspect
from training.preparation.conventions import FORCIBLE, forced_rules
from training.preparation.plausibility import checks
from training.reading.options import ReadOptions
from training.reading.plan import load_plan, save_plan

EXPECTED = (ModelError, UnreadableSource, TooFewCustomers, DemoRefused)
FITTING_STEPS = 15
IMPLAUSIBLE = 3  # the exit code
PRESETS = ("price-quantity",)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code.

    0 if it did what was asked, 1 with a sentence on standard error if it could not, 3 if the data are not plausible.
    """
    given = _parser().parse_args(arguments)
    try:
        code: int | None = given.run(given)
    except Implausible as error:
        for check in error.failed:
            _warn(given.command, check)
        _print_error(f"{given.command}: no model is published, because {_checks_failed(len(error.failed))}.")
        return IMPLAUSIBLE
    except EXPECTED as error:
        said = error.report if isinstance(error, ModelError) else str(error)
        _print_error(f"{given.command}: {said}")
        return 1
    return code or 0


def _print_error(sentence: str) -> None:
    Console(stderr=True).print(sentence, style="red", highlight=False, markup=False, soft_wrap=True)


def _warn(command: str, check: CheckResult) -> None:
    """Print a failed check of plausibility."""
    _print_error(f"{command}: the check {check.name} failed: {check.message}")


def _checks_failed(count: int) -> str:
    return f"{count} check{' of plausibility fails' if count == 1 else 's of plausibility fail'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fitting = commands.add_parser("fit", help="train a model on transactions, or a table of customers, and publish it")
    _add_source(fitting, sources="*")
    _add_table(fitting)
    _add_models_dir(fitting)
    _add_wish(fitting)
    fitting.add_argument("--movers", type=Path, metavar="FILE",
                         help="write who moved since the model before, and why, as CSV")  # fmt: skip
    fitting.add_argument("--accept", action="append", default=[], choices=list(checks()), metavar="CHECK",
                         help="publish though this check of plausibility fails; the model records it")  # fmt: skip
    fitting.add_argument("--playbooks", type=Path, metavar="FILE", help="default: those of the package")
    fitting.add_argument("--no-activate", action="store_true", help="publish, but leave the active model as it is")
    fitting.set_defaults(run=_fit)
    evaluating = commands.add_parser(
        "evaluate", help="fit on the purchases up to a cut-off and measure what the segments tell of the days after"
    )
    _add_source(evaluating, as_of=False)
    evaluating.add_argument("--cut-off", type=_moment, required=True, metavar="DATE", help="UTC; known up to here")
    _add_wish(evaluating)
    evaluating.add_argument("--assignments", type=Path, metavar="FILE", help="write customer_id and segment as CSV")
    evaluating.set_defaults(run=_evaluate)
    showing = commands.add_parser("show", help="print a published model")
    showing.add_argument("version", nargs="?", help="default: the active one")
    _add_models_dir(showing)
    showing.set_defaults(run=_show)
    reporting = commands.add_parser("report", help="write a published model and its evidence as one HTML page to read")
    reporting.add_argument("version", nargs="?", help="default: the active one")
    reporting.add_argument("--out", type=Path, default=Path("report.html"), metavar="FILE", help="default: report.html")
    _add_models_dir(reporting)
    reporting.set_defaults(run=_report)
    inspecting = commands.add_parser("inspect", help="read and clean transactions and report, without training")
    _add_source(inspecting)
    inspecting.add_argument(
        "--save-plan", type=Path, metavar="FILE", help="write the import plan, to be edited and used"
    )
    inspecting.set_defaults(run=_inspect)
    features = commands.add_parser("features", help="write every customer's features as a table, to be scored")
    _add_source(features)
    features.add_argument("--plan-if-it-fits", action="store_true",
                          help="find the columns anew where a table has not those of --plan")  # fmt: skip
    features.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv or .parquet")
    features.set_defaults(run=_features)
    demo = commands.add_parser("demo", help="write realistic synthetic transactions")
    demo.add_argument("--customers", type=int, required=True, metavar="N")
    demo.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv, .csv.gz or .parquet")
    demo.add_argument("--seed", type=int, default=0, help="default: 0")
    demo.add_argument("--start", type=date.fromisoformat, default=date(2010, 12, 1), help="default: 2010-12-01")
    demo.add_argument("--days", type=int, default=374, help="default: 374")
    demo.set_defaults(run=_demo)
    return parser


def _add_wish(command: argparse.ArgumentParser) -> None:
    command.add_argument("--segments", type=_range, default=range(3, 11), metavar="FROM-TO", help="default: 3-10")
    command.add_argument("--seed", type=int, default=0, help="default: 0")
    command.add_argument("--horizon", type=_days, default=90, metavar="DAYS",
                         help="how long customers are followed after a cut-off; default: 90")  # fmt: skip
    command.add_argument("--preset", choices=PRESETS, help="make segments this way, whatever the back-test says")


def _add_table(fitting: argparse.ArgumentParser) -> None:
    table = fitting.add_argument_group("a table of customers, in place of transactions")
    table.add_argument("--customers", type=Path, metavar="FILE",
                       help="CSV, XLSX, JSON or Parquet with one row per customer; --as-of is then today by "
                       "default")  # fmt: skip
    table.add_argument("--id", metavar="COLUMN", help="the column of the customer's id, or row: number the customers")
    table.add_argument("--features", nargs="+", metavar="COLUMN", help="the columns that decide the segment")
    table.add_argument("--describe", nargs="+", metavar="COLUMN",
                       help="the columns that only describe it; default: all others")  # fmt: skip
    table.add_argument("--missing", action="append", default=[], metavar="VALUE",
                       help="a value that stands for a missing one: --missing=-999; may be repeated")  # fmt: skip
    table.add_argument("--not-missing", action="append", default=[], metavar="VALUE",
                       help="a value that looks so and does not; may be repeated")  # fmt: skip


def _add_source(command: argparse.ArgumentParser, as_of: bool = True, sources: str = "+") -> None:
    command.add_argument(
        "source", nargs=sources, help="CSV, XLSX, JSON, Parquet (.gz, .zst, .zip), a folder of them, or a database URL"
    )
    command.add_argument("--query", metavar="SQL", help="what to read from the database")
    command.add_argument("--column", action="append", default=[], type=_pair, metavar="FIELD=NAME",
                         help="which column a field is, where its name does not tell; FIELD= for none")  # fmt: skip
    command.add_argument("--sheet", action="append", default=[], metavar="NAME",
                         help="a sheet of a workbook to read, once for each; default: all visible ones")  # fmt: skip
    command.add_argument("--plan", type=Path, metavar="FILE", help="read by this plan, written by inspect --save-plan")
    command.add_argument("--numbers", action="append", default=[], type=_pair, metavar="COLUMN=EXAMPLE",
                         help="how the numbers of a column are written, such as price=1.234,56")  # fmt: skip
    command.add_argument("--status-keep", type=_statuses, metavar="STATUSES",
                         help="the statuses of purchases, with commas between them; all others are none")  # fmt: skip
    command.add_argument("--currency", metavar="CODE", help="read the rows in this currency only")
    command.add_argument("--rates", type=Path, metavar="FILE",
                         help="convert currencies: a CSV of currency and rate, 1 for the one wanted")  # fmt: skip
    command.add_argument("--rules", action="append", default=[], type=_rule, metavar="NAME",
                         help="a convention that holds whatever the data shows, or no-NAME for one that does not: "
                         f"{', '.join(FORCIBLE)}")  # fmt: skip
    command.add_argument("--date-format", metavar="FORM", help="month-first, day-first, or a strptime pattern")
    if as_of:
        command.add_argument("--as-of", type=_moment, metavar="DATE",
                             help="moment of the features, UTC; default: end of the last day")  # fmt: skip
    command.add_argument("--json", action="store_true", help="print JSON for programs")


def _add_models_dir(command: argparse.ArgumentParser) -> None:
    default = Path(os.environ.get("SEGMENTATION_MODELS_DIR", "models/artifacts"))
    command.add_argument("--models-dir", type=Path, default=default, metavar="DIR", help=f"default: {default}")
    if command.prog.endswith("show"):
        command.add_argument("--json", action="store_true", help="print JSON for programs")


def _fit(given: argparse.Namespace) -> None:
    if given.customers is not None:
        _fit_table(given)
        return
    if given.id or given.features or given.describe or given.missing or given.not_missing:
        raise UnreadableSource(
            "--id, --features, --describe, --missing and --not-missing are for a table of customers; name it with "
            "--customers"
        )
    if not given.source:
        raise UnreadableSource("name a source of transactions, or a table of customers with --customers")
    from training.fit import Order, fit  # scikit-learn: over a second that the other commands need not wait

    order = Order(
        sources=given.source,
        models_dir=given.models_dir,
        playbooks=load_playbooks(given.playbooks),
        options=_read_options(given),
        segments=given.segments,
        seed=given.seed,
        horizon=given.horizon,
        preset=given.preset,
        movers=given.movers,
        accept=frozenset(given.accept),
        signing_key=_signing_key(),
    )
    with _steps() as step:
        artifact = fit(order, step)
    _published(artifact, given)


def _fit_table(given: argparse.Namespace) -> None:
    of_transactions = (
        "source", "query", "column", "date_format", "plan", "status_keep", "currency", "rates", "rules",
        "preset", "movers", "accept",
    )  # fmt: skip
    if wrong := [f"--{name.replace('_', '-')}" for name in of_transactions if getattr(given, name)]:
        named = ", ".join(wrong).replace("--source", f"{' '.join(given.source)}")
        raise UnreadableSource(f"{named} cannot go with --customers, which names the one table that is read; leave out")
    if not given.id or not given.features:
        raise UnreadableSource(
            "--customers needs --id, the column of the customer's id (--id row numbers the customers), and --features, "
            "the columns that decide the segment"
        )
    from training.fit_table import TableOrder, fit_table  # scikit-learn, as above
    from training.table_columns import Columns

    order = TableOrder(
        source=given.customers,
        columns=Columns(
            given.id, given.features, given.describe, given.missing, given.not_missing, dict(given.numbers), given.sheet
        ),
        as_of=given.as_of or _today(),
        models_dir=given.models_dir,
        playbooks=load_playbooks(given.playbooks),
        segments=given.segments,
        seed=given.seed,
        horizon=given.horizon,
        signing_key=_signing_key(),
    )
    with _steps() as step:
        artifact = fit_table(order, step)
    _published(artifact, given)


def _published(artifact: Artifact, given: argparse.Namespace) -> None:
    if not given.no_activate:
        Registry(given.models_dir).activate(artifact.version)
    show.model(artifact, given.json)


def _evaluate(given: argparse.Namespace) -> None:
    from training.evaluation import Question, evaluate  # scikit-learn, as above
    from training.fit import FIT_THREADS
    from training.study import Wish

    question = Question(
        sources=given.source,
        cut_off=given.cut_off,
        horizon=given.horizon,
        wish=Wish(given.segments, given.seed, given.preset),
        options=_read_options(given),
        assignments=given.assignments,
    )
    with _steps() as step:
        found = evaluate(question, FIT_THREADS, step, partial(_warn, given.command))
    show.evaluation(found, given.json)


def _show(given: argparse.Namespace) -> None:
    registry = Registry(given.models_dir)
    show.model(read_artifact(registry.path(given.version or registry.active())), given.json)


def _report(given: argparse.Namespace) -> None:
    from training.report.page import write_report  # matplotlib, which no other command needs

    registry = Registry(given.models_dir)
    artifact = read_artifact(registry.path(given.version or registry.active()))
    write_report(artifact, given.out)
    sys.stdout.write(f"{given.out}: the report on model {artifact.version}\n")


def _inspect(given: argparse.Namespace) -> int:
    found = inspect(given.source, _read_options(given))
    if given.save_plan:
        save_plan(found.plan, given.save_plan)
    show.inspection(found, given.json)
    return 0 if found.plausible else IMPLAUSIBLE


def _features(given: argparse.Namespace) -> None:
    warn = partial(_warn, given.command)
    rows = write_features(given.source, given.out, _read_options(given), warn)
    sys.stdout.write(f"{rows:,} customers in {given.out}\n")


def _demo(given: argparse.Namespace) -> None:
    with _progress("customers") as progress:
        task = progress.add_task("writing", total=given.customers)

        def done(customers: int) -> None:
            progress.update(task, advance=customers)

        rows = write_demo(
            given.out, customers=given.customers, seed=given.seed, start=given.start, days=given.days, progress=done
        )
    sys.stdout.write(f"{rows:,} rows of {given.customers:,} customers in {given.out}\n")


@contextmanager
def _steps() -> Iterator[Callable[[str], None]]:
    with _progress("steps") as progress:
        task = progress.add_task("starting", total=FITTING_STEPS)

        def step(said: str) -> None:
            progress.update(task, description=said, advance=1)

        yield step


def _progress(unit: str) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _signing_key() -> bytes | None:
    path = os.environ.get("SEGMENTATION_SIGNING_KEY_FILE")
    if path:
        try:
            return Path(path).read_bytes().strip()
        except OSError as error:
            raise UnreadableSource(f"the signing key {path} cannot be read: {error.strerror}") from error
    key = os.environ.get("SEGMENTATION_SIGNING_KEY")
    return key.encode() if key else None


def _read_options(given: argparse.Namespace) -> ReadOptions:
    return ReadOptions(
        query=given.query,
        columns=dict(given.column),
        date_format=given.date_format,
        numbers=dict(given.numbers),
        sheets=given.sheet,
        status_keep=given.status_keep,
        currency=given.currency,
        rates=given.rates,
        rules=forced_rules(dict(given.rules)),
        plan=load_plan(given.plan) if given.plan else None,
        plan_must_fit=not getattr(given, "plan_if_it_fits", False),
        as_of=getattr(given, "as_of", None),
    )


def _rule(text: str) -> tuple[str, bool]:
    return text.removeprefix("no-").replace("-", "_"), not text.startswith("no-")


def _statuses(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in text.split(","))))


def _pair(text: str) -> tuple[str, str]:
    field, equals, name = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=NAME, such as customer='Client No'")
    return field.strip(), name.strip()


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2011-12-10") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to 1000")
    return int(text)


def _range(text: str) -> Sequence[int]:
    first, dash, last = text.partition("-")
    try:
        found = range(int(first), int(last if dash else first) + 1)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a range such as 4-8") from error
    if not found or found[0] < 2 or found[-1] > 50:
        raise argparse.ArgumentTypeError(f"{text!r} must be between 2 and 50 segments, the smaller number first")
    return found


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
