"""The training command line: `python -m training fit | show | inspect | features | demo`."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from models.artifact import read_artifact
from models.errors import ModelError
from models.playbook import load_playbooks
from models.registry import Registry
from training import show
from training.demo import DemoRefused, write_demo
from training.errors import TooFewCustomers, UnreadableSource
from training.feature_table import write_features
from training.inspection import inspect

EXPECTED = (ModelError, UnreadableSource, TooFewCustomers, DemoRefused)
FITTING_STEPS = 11


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0 where it did what was asked, 1 with a sentence on standard error where it could not."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except EXPECTED as error:
        Console(stderr=True).print(
            f"{given.command}: {error}", style="red", highlight=False, markup=False, soft_wrap=True
        )
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fitting = commands.add_parser("fit", help="train a model on transactions and publish it")
    _add_source(fitting)
    _add_models_dir(fitting)
    fitting.add_argument("--segments", type=_range, default=range(4, 9), metavar="FROM-TO", help="default: 4-8")
    fitting.add_argument("--seed", type=int, default=0, help="default: 0")
    fitting.add_argument("--playbooks", type=Path, metavar="FILE", help="default: those of the package")
    fitting.add_argument("--no-activate", action="store_true", help="publish, but leave the active model as it is")
    fitting.set_defaults(run=_fit)
    showing = commands.add_parser("show", help="print a published model")
    showing.add_argument("version", nargs="?", help="default: the active one")
    _add_models_dir(showing)
    showing.set_defaults(run=_show)
    inspecting = commands.add_parser("inspect", help="read and clean transactions and report, without training")
    _add_source(inspecting)
    inspecting.set_defaults(run=_inspect)
    features = commands.add_parser("features", help="write every customer's features as a table, to be scored")
    _add_source(features)
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


def _add_source(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "source", nargs="+", help="CSV (.gz, .zst), XLSX, Parquet, a folder of them, or a database URL"
    )
    command.add_argument("--query", metavar="SQL", help="what to read from the database")
    command.add_argument("--column", action="append", default=[], type=_pair, metavar="FIELD=NAME",
                         help="which column a field is, where its name does not tell")  # fmt: skip
    command.add_argument("--date-format", metavar="FORM", help="month-first, day-first, or a strptime pattern")
    command.add_argument("--as-of", type=_moment, metavar="DATE",
                         help="moment of the features, UTC; default: end of the last day")  # fmt: skip
    command.add_argument("--json", action="store_true", help="print JSON for programs")


def _add_models_dir(command: argparse.ArgumentParser) -> None:
    default = Path(os.environ.get("SEGMENTATION_MODELS_DIR", "models/artifacts"))
    command.add_argument("--models-dir", type=Path, default=default, metavar="DIR", help=f"default: {default}")
    if command.prog.endswith("show"):
        command.add_argument("--json", action="store_true", help="print JSON for programs")


def _fit(given: argparse.Namespace) -> None:
    from training.fit import Order, fit  # scikit-learn: over a second that the other commands need not wait

    order = Order(
        sources=given.source,
        models_dir=given.models_dir,
        playbooks=load_playbooks(given.playbooks),
        query=given.query,
        columns=dict(given.column),
        date_format=given.date_format,
        as_of=given.as_of,
        segments=given.segments,
        seed=given.seed,
        signing_key=_signing_key(),
    )
    with _progress("steps") as progress:
        task = progress.add_task("starting", total=FITTING_STEPS - 5 + len(given.segments))

        def step(said: str) -> None:
            progress.update(task, description=said, advance=1)

        artifact = fit(order, step)
    if not given.no_activate:
        Registry(order.models_dir).activate(artifact.version)
    show.model(artifact, given.json)


def _show(given: argparse.Namespace) -> None:
    registry = Registry(given.models_dir)
    show.model(read_artifact(registry.path(given.version or registry.active())), given.json)


def _inspect(given: argparse.Namespace) -> None:
    show.inspection(inspect(given.source, given.query, dict(given.column), given.date_format, given.as_of), given.json)


def _features(given: argparse.Namespace) -> None:
    columns = dict(given.column)
    rows = write_features(given.source, given.out, given.query, columns, given.date_format, given.as_of)
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


def _pair(text: str) -> tuple[str, str]:
    field, equals, name = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=NAME, such as customer='Client No'")
    return field.strip(), name.strip()


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2011-12-10") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


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
