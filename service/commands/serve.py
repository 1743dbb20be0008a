"""`serve`: answer over HTTP, by one process or by several."""

import argparse
import asyncio
import logging
import os
import signal
import socket
from functools import partial
from typing import cast

import uvicorn

from service import log
from service.app import create_app, prepare
from service.commands.parsers import Commands
from service.graceful_server import GracefulServer
from service.http_connection import HttpConnection
from service.metrics.board import Board
from service.patience import Patience
from service.refusals import Refusals
from service.request_log import log_request
from service.server.runtime_tuning import share_memory_with_workers
from service.settings import MOST_WORKERS, Settings
from service.store.database import is_to_be_made, ledger_spec, open_engine, opened
from service.store.errors import MigrationsMissing, NoKey, StoreUnavailable
from service.store.keys import KeyStore
from service.store.scribe_process import ScribeProcess

BACKLOG = 2048  # connections that wait to be taken up


def add(commands: Commands) -> None:
    """Tell the parser."""
    serving = commands.add_parser("serve", help="answer over HTTP")
    serving.add_argument("--workers", type=_count, metavar="N", help="processes that answer; default: the setting's")
    serving.set_defaults(run=_serve)


def _serve(given: argparse.Namespace, settings: Settings) -> int:
    log.configure(settings.log_level, settings.log_format)
    workers = given.workers or settings.workers
    check_keys(settings)
    if workers > 1:
        # how many there are is told to each: limits that are shared out go by it
        return _serve_by_many(settings.model_copy(update={"workers": workers}), workers)
    signal.signal(signal.SIGTERM, _stopped)  # the server says it again once it has stopped, to whoever listened before
    signal.signal(signal.SIGINT, _stopped)
    _answer(settings.model_copy(update={"workers": 1}), None)
    return 0


def check_keys(settings: Settings) -> None:
    """Raises NoKey where everybody could reach a service that has no key, and nobody said that this is meant.

    A database that does not answer is no reason: nobody is let in before the keys were read.
    """
    if not settings.needs_key or settings.api_key is not None:
        return
    try:
        made = _some_are_made(settings.store_url)
    except (StoreUnavailable, MigrationsMissing):
        return
    if not made:
        raise NoKey(
            f"SEGMENTATION_HOST is {settings.host}, which others can reach, and there is no key; make one with: "
            "python -m service keys create --scope score, set SEGMENTATION_API_KEY_FILE, listen on 127.0.0.1, "
            "or let everybody in with SEGMENTATION_ALLOW_NO_KEY=true"
        )


def _some_are_made(url: str) -> bool:
    """Whether there are keys in the database; a file that is not there yet, and may not be made, has none."""
    engine = open_engine(url)
    engine.dispose()
    if is_to_be_made(engine):
        return False
    with opened(url) as engine:
        return bool(KeyStore(engine).all())


def _serve_by_many(settings: Settings, count: int) -> int:
    from service.workers import Workers  # forking needs what one process has no use for

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    prepare(settings)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    logging.getLogger("segmentation.workers").info(
        "%s workers listening on http://%s:%s", count, host, listening.getsockname()[1]
    )
    patience = settings.drain_seconds + settings.shutdown_seconds
    share_memory_with_workers()
    return Workers(listening, count, partial(_answer, settings), patience, Board(count)).run()


def _answer(settings: Settings, listening: socket.socket | None, board: Board | None = None, seat: int = 0) -> None:
    """Answers until a stop signal: on the socket, or where there is none on one of its own."""
    scribe = ScribeProcess() if os.name == "posix" else None  # it gets ready while the application does
    try:
        app = create_app(settings, board=board, seat=seat)
    except BaseException:
        if scribe is not None:
            scribe.finish(0.0)
        raise
    if scribe is not None:
        app.state.service.writer.written_by(scribe.writes_to(ledger_spec(app.state.service.engine)))
    patience = Patience(
        settings.head_seconds,
        settings.body_idle_seconds,
        settings.answer_idle_seconds,
        another=settings.keep_alive_seconds,
    )
    refusals = Refusals([app.state.service.recorder.request, log_request])
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        backlog=BACKLOG,
        access_log=False,
        log_config=None,  # it is configured, in this process and whichever it was forked from
        server_header=False,
        proxy_headers=False,  # whom to believe is the door's to say
        ws="none",
        http=cast(type[asyncio.Protocol], partial(HttpConnection, patience=patience, refusals=refusals)),
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    server = GracefulServer(config, app.state.service.readiness, settings.drain_seconds)
    server.run(None if listening is None else [listening])


def _stopped(number: int, frame: object) -> None:
    raise SystemExit(0)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes from 1 to {MOST_WORKERS}")
    return int(text)
