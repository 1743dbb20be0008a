"""What was raised, as text that holds no values: they may be customers'."""

import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import TypeAlias

from models.errors import ModelError
from service.store.errors import StoreError

OptionalExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
# Under which names database drivers keep the kind of an error apart from its words.
CODES = ("sqlstate", "sqlite_errorname")
MOST = 8  # of what led to one another


def traceback_text(error: BaseException | None) -> str:
    """Each exception of a chain, the first cause first: where it was raised, and its kind, without its message.

    A message of a driver or a validator repeats what it was given. Only those of our own are told.
    """
    return "\n".join(reversed([_one(each) for each in _chain(error)]))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(MOST):
        if error is None:
            return
        yield error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        else:
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _one(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{_kind(error)}"


def _kind(error: BaseException) -> str:
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, (ModelError, StoreError)):
        return f"{name}: {error.report}"
    if isinstance(error, ImportError):  # it names modules, and repeats nothing that a client sent
        return f"{name}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    codes = [str(getattr(error, code)) for code in CODES if getattr(error, code, None)]
    return f"{name}: {codes[0]}" if codes else name
