"""JSON whose objects have no key twice: decoders keep the last value and say nothing."""

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pydantic_core import from_json

from service.errors import Fault, InvalidJson, InvalidRequest
from service.faults import pointer

WHITE_SPACE = b" \t\r\n"


class _KeyTwice(Exception):
    """Some object has a key twice."""


def may_repeat_keys(text: bytes, keys: int) -> bool:
    """Whether the objects of a JSON text may have more than the `keys` that a decoder found in them. It is true without
    reason where a quote before a colon begins a text, such as ":)"."""
    return text.translate(None, WHITE_SPACE).count(b'":') != keys


def decode_json(text: bytes) -> Any:
    """The value of a JSON text in UTF-8.

    Raises InvalidJson where it is none, and InvalidRequest where an object has a key twice.
    """
    try:
        from_json(text)  # which is stricter than `json`, and says better what is wrong
    except ValueError as error:
        raise InvalidJson(f"is not JSON: {error}") from error
    with suppress(_KeyTwice):
        return json.loads(text.decode(), object_pairs_hook=_object)
    place = _repeated(json.loads(text.decode(), object_pairs_hook=tuple), [])
    raise InvalidRequest([key_is_there_twice(place or [])])


def key_is_there_twice(place: Sequence[str]) -> Fault:
    """What is wrong with an object that has a key, of which this is the place, twice."""
    return Fault(pointer(place), "is there twice; send it once")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _KeyTwice
    return found


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
