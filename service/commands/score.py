"""`score`: assign a whole file without HTTP."""

import argparse
import sys
from datetime import datetime
from pathlib import Path

from service.app import utc_now
from service.commands.parsers import Commands
from service.settings import Settings


def add(commands: Commands) -> None:
    """Tell the parser."""
    scoring = commands.add_parser("score", help="assign a file of customers or transactions, without HTTP")
    scoring.add_argument("file", help="customers with features, or transactions; CSV, XLSX or Parquet")
    scoring.add_argument("--out", type=Path, required=True, metavar="FILE", help=".csv, .csv.gz or .ndjson")
    scoring.add_argument(
        "--as-of",
        type=_moment,
        metavar="DATE",
        help="moment of the features, UTC; default: each row's own, else the end of the last day",
    )
    scoring.add_argument("--store", action="store_true", help="store the answers in the database too")
    scoring.add_argument("--column", action="append", default=[], type=_pair, metavar="FIELD=NAME",
                         help="which column a field is, where its name does not tell; customer=row numbers the "
                         "customers of a table")  # fmt: skip
    scoring.add_argument("--missing", action="append", default=[], metavar="VALUE",
                         help="a value of a table that stands for a missing one: --missing=-999")  # fmt: skip
    scoring.add_argument("--not-missing", action="append", default=[], metavar="VALUE",
                         help="a value that looks so and does not")  # fmt: skip
    scoring.add_argument("--numbers", action="append", default=[], type=_pair, metavar="COLUMN=EXAMPLE",
                         help="how the numbers of a column are written, such as price=1.234,56")  # fmt: skip
    scoring.add_argument("--date-format", metavar="FORM", help="month-first, day-first, or a strptime pattern")
    scoring.set_defaults(run=_score)


def _score(given: argparse.Namespace, settings: Settings) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from service.scoring import ScoreOrder, score  # pyarrow: nothing else here needs it

    order = ScoreOrder(
        given.file,
        given.out,
        given.as_of,
        given.store,
        dict(given.column),
        given.date_format,
        given.missing,
        given.not_missing,
        dict(given.numbers),
    )
    columns_shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns_shown, console=console, transient=True) as progress:
        task = progress.add_task("customers", total=None)

        def note(said: str) -> None:
            console.print(f"Note: {said}", highlight=False, markup=False, soft_wrap=True)

        rows = score(order, settings, utc_now(), lambda done: progress.advance(task, done), note)
    sys.stdout.write(f"{rows:,} customers in {given.out}{' and in the database' if given.store else ''}\n")


def _pair(text: str) -> tuple[str, str]:
    field, equals, name = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=NAME, such as customer='Client No'")
    return field.strip(), name.strip()


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2011-12-10") from error
    return text
