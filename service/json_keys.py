"""Keys that an object of a JSON text has twice: decoders keep the last value and say nothing."""

import json
from collections.abc import Sequence
from typing import Any

from service.errors import Fault, InvalidJson, InvalidRequest
from service.faults import pointer

WHITE_SPACE = b" \t\r\n"


class _KeyTwice(Exception):
    """Some object has a key twice."""


def may_repeat_keys(text: bytes, keys: int) -> bool:
    """Whether the objects of a JSON text may have more than the `keys` that a decoder found in them. It is true without
    reason where a quote before a colon begins a text, such as ":)"."""
    return text.translate(None, WHITE_SPACE).count(b'":') != keys


def check_keys(text: bytes) -> None:
    """Raises InvalidRequest where an object has a key twice, and InvalidJson where the text is not JSON in UTF-8."""
    if b"{" not in text:
        return
    try:
        json.loads(text.decode(), object_pairs_hook=_checked)
    except _KeyTwice:
        repeated = _repeated(json.loads(text.decode(), object_pairs_hook=tuple), [])
        raise InvalidRequest([key_is_there_twice(repeated or [])]) from None
    except (ValueError, RecursionError) as error:
        raise InvalidJson(f"is not JSON: {error}") from error


def key_is_there_twice(place: Sequence[str]) -> Fault:
    """What is wrong with an object that has a key, of which this is the place, twice."""
    return Fault(pointer(place), "is there twice; send it once")


def _checked(pairs: Sequence[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise _KeyTwice


def _repeated(value: Any, place: list[str]) -> list[str] | None:
    """Where the first such key is, of a value whose objects are tuples of keys and values."""
    entries: Sequence[tuple[str, Any]] = ()
    if isinstance(value, tuple):
        entries = value
        names = [name for name, _ in entries]
        if len(set(names)) != len(names):
            return [*place, next(name for index, name in enumerate(names) if name in names[:index])]
    elif isinstance(value, list):
        entries = [(str(index), entry) for index, entry in enumerate(value)]
    for name, entry in entries:
        if isinstance(entry, (tuple, list)) and (found := _repeated(entry, [*place, name])) is not None:
            return found
    return None
