"""The log: lines of JSON on standard output, or lines to read where that is a terminal."""

import logging
import logging.config
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from service.correlation import CURRENT
from service.repetition import Repetition
from service.traceback_text import OptionalExcInfo, traceback_text

# uvicorn's own access log would write customer ids, which stand in addresses; ours is `segmentation.request`.
QUIET = {"uvicorn.access": "CRITICAL"}
OURS = ("segmentation", "uvicorn.error")


def configure(level: str, form: str) -> None:
    """Sends all that is logged in this process to standard output; `form` is json, pretty, or auto to look there."""
    pretty = form == "pretty" or (form == "auto" and sys.stdout.isatty())
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"repetition": {"()": Repetition}},
            "handlers": {"stdout": {"()": _pretty if pretty else _json, "filters": ["repetition"]}},
            "loggers": {
                **{name: {"level": level} for name in OURS},
                **{name: {"level": quiet} for name, quiet in QUIET.items()},
            },
            "root": {"level": "WARNING", "handlers": ["stdout"]},
        }
    )
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed


class LogFormatter(logging.Formatter):
    """Text of what is logged that tells no values: of what was raised, where it was and what kind it is."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  # as its base has it
        raised: OptionalExcInfo = ei
        return traceback_text(raised[1])

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # as its base has it
        # After its first line asyncio tells objects as they are, with what was raised in them.
        return record.message.partition("\n")[0] if record.name == "asyncio" else record.message


class JsonLines(LogFormatter):
    """One object a line: time (UTC), level, logger, message, request_id where there is one, and what else is told."""

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.formatMessage(record),
        }
        correlation = CURRENT.get()
        if correlation is not None:
            line["request_id"] = correlation.request_id
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return to_json({name: value for name, value in line.items() if value is not None}, fallback=_type_of).decode()


def _json() -> logging.Handler:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    return handler


def _pretty() -> logging.Handler:
    from rich.console import Console  # 40 ms that a line of JSON has no use for
    from rich.logging import RichHandler

    handler = RichHandler(console=Console(file=sys.stdout), show_path=False, log_time_format="[%X]")
    handler.setFormatter(LogFormatter())
    return handler


def _thread_failed(raised: threading.ExceptHookArgs) -> None:
    name = raised.thread.name if raised.thread else "unknown"
    logging.getLogger("segmentation.thread").error("the thread %s ended", name, exc_info=raised.exc_value)


def _type_of(value: object) -> str:
    return type(value).__name__
