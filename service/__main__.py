"""The service's command line: `python -m service serve | db | score | settings`."""

import argparse
import logging
import logging.config
import os
import signal
import socket
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

import uvicorn
from pydantic import ValidationError

from models.errors import ModelError
from service.app import create_app, prepare, utc_now
from service.corked_protocol import CorkedProtocol
from service.settings import MOST_WORKERS, Settings, described, unknown_variables
from service.store.database import downgrade, open_engine, pending, upgrade
from service.store.errors import StoreError

EXPECTED = (ModelError, StoreError, OSError)
BACKLOG = 2048  # connections that wait to be taken up
# uvicorn's own log goes to standard error; its access log would write customer ids, which stand in addresses.
LOG = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {
        "uvicorn.error": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
        "segmentation": {"level": "INFO", "handlers": ["stderr"], "propagate": False},
    },
    "root": {"level": "WARNING", "handlers": ["stderr"]},
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0 where it did what was asked, 1 with a sentence on standard error where it could not."""
    given = _parser().parse_args(arguments)
    try:
        settings = Settings()
    except ValidationError as error:
        for one in error.errors(include_url=False, include_input=False):
            name = "_".join(("SEGMENTATION", *(str(part).upper() for part in one["loc"])))
            said = one["msg"].removeprefix("Value error, ")
            sys.stderr.write(f"{said}\n" if not one["loc"] else f"{name}: {said}\n")
        return 1
    for name in unknown_variables(os.environ):
        sys.stderr.write(f"{name} is set and no setting; python -m service settings lists those there are\n")
    try:
        return int(given.run(given, settings) or 0)
    except EXPECTED as error:
        sys.stderr.write(f"{given.command}: {error}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m service", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="answer over HTTP")
    serving.add_argument("--workers", type=_count, metavar="N", help="processes that answer; default: the setting's")
    serving.set_defaults(run=_serve)
    database = commands.add_parser("db", help="bring the database's tables to this version")
    database.add_argument("action", choices=("upgrade", "downgrade", "pending"))
    database.add_argument("revision", nargs="?", help="default: the newest; of downgrade it must be given")
    database.set_defaults(run=_database)
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
                         help="which column a field is, where its name does not tell")  # fmt: skip
    scoring.add_argument("--date-format", metavar="FORM", help="month-first, day-first, or a strptime pattern")
    scoring.set_defaults(run=_score)
    commands.add_parser("settings", help="list the settings").set_defaults(run=_settings)
    return parser


def _serve(given: argparse.Namespace, settings: Settings) -> int:
    workers = given.workers or settings.workers
    if workers > 1:
        return _serve_by_many(settings, workers)
    signal.signal(signal.SIGTERM, _stopped)  # the server says it again once it has stopped, to whoever listened before
    signal.signal(signal.SIGINT, _stopped)
    _answer(settings, None)
    return 0


def _serve_by_many(settings: Settings, count: int) -> int:
    from service.workers import Workers  # forking needs what one process has no use for

    logging.config.dictConfig(LOG)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    prepare(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    logging.getLogger("segmentation.workers").info(
        "%s workers listening on http://%s:%s", count, host, listening.getsockname()[1]
    )
    return Workers(listening, count, partial(_answer, settings), settings.shutdown_seconds).run()


def _answer(settings: Settings, listening: socket.socket | None) -> None:
    """Answers until a stop signal: on the socket, or where there is none on one of its own."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        backlog=BACKLOG,
        access_log=False,
        log_config=LOG,
        server_header=False,
        proxy_headers=False,  # nothing here asks who the client is
        ws="none",
        http=CorkedProtocol,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        timeout_keep_alive=30,
    )
    uvicorn.Server(config).run(None if listening is None else [listening])


def _stopped(number: int, frame: object) -> None:
    raise SystemExit(0)


def _database(given: argparse.Namespace, settings: Settings) -> int:
    engine = open_engine(settings.store_url)
    try:
        if given.action == "upgrade":
            upgrade(engine, given.revision or "head")
        elif given.action == "downgrade":
            if given.revision is None:
                sys.stderr.write("db downgrade: name the revision to go down to, or base to remove every table\n")
                return 2
            downgrade(engine, given.revision)
        missing = pending(engine)
    finally:
        engine.dispose()
    sys.stdout.write("the database is up to date\n" if not missing else f"not applied: {', '.join(missing)}\n")
    return 0


def _score(given: argparse.Namespace, settings: Settings) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from service.scoring import ScoreOrder, score  # pandas and DuckDB: nothing else here needs them

    order = ScoreOrder(given.file, given.out, given.as_of, given.store, dict(given.column), given.date_format)
    columns_shown = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns_shown, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("customers", total=None)
        rows = score(order, settings, utc_now(), lambda done: progress.advance(task, done))
    sys.stdout.write(f"{rows:,} customers in {given.out}{' and in the database' if given.store else ''}\n")


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes from 1 to {MOST_WORKERS}")
    return int(text)


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


def _settings(given: argparse.Namespace, settings: Settings) -> None:
    for name, default, says in described():
        sys.stdout.write(f"{name}={default}\n    {says}{' (set)' if name in os.environ else ''}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
