"""What becomes of a file by accident or by intent: bytes flipped, cut, repeated; JSON that says something else."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Any

# What a value in JSON is put in place of another: not finite, huge, of another type, of no text there is.
INSTEAD = (
    "NaN", "Infinity", "-1e999", "1e308", "-0.0", "5e-324", "9" * 400, "-1", "0", "null", "true", '""', '"x"', "[]",
    "{}", "[[]]", '"\\ud800"', '"\\u0000\\n\\u2028"', '"' + "y" * 100_000 + '"', "[" * 5_000, '{"a":' * 5_000,
    '"9999-12-31T23:59:59-12:00"', '"0001-01-01T00:00:00+14:00"',
)  # fmt: skip


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def overwritten(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + chance.randbytes(chance.choice((1, 4, 16))) + data[at + chance.choice((0, 1, 4, 16)) :]


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def spliced(data: bytes, chance: random.Random) -> bytes:
    start, end, at = (chance.randrange(len(data) + 1) for _ in range(3))
    return data[:at] + data[min(start, end) : max(start, end)] + data[at:]


def cut_out(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data))
    return data[:start] + data[start + chance.choice((1, 8, 100)) :]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (flipped, overwritten, truncated, spliced, cut_out)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes with one thing wrong."""
    return chance.choice(MUTATIONS)(data, chance)


def said_otherwise(text: bytes, chance: random.Random) -> bytes:
    """JSON with one value in another's place, one key missing, one twice, or one more: still JSON, mostly."""
    mark = '"\\u0001mark"'
    whole = json.loads(text)
    holder, key = _somewhere(whole, chance)
    if holder is None:
        return chance.choice(INSTEAD).encode()
    kind = chance.randrange(8)
    if kind == 0 and isinstance(holder, dict):
        del holder[key]
        return json.dumps(whole).encode()
    if kind == 1 and isinstance(holder, dict):
        holder[f"{key} "] = holder[key]
        return json.dumps(whole).encode()
    if kind == 2 and isinstance(holder, list):
        holder.extend(holder[:1] * chance.choice((1, 1_000)))
        return json.dumps(whole).encode()
    instead = chance.choice(INSTEAD)
    if kind == 3 and isinstance(holder, dict):  # the key twice, first as it was
        instead = f"{json.dumps(holder[key])}, {json.dumps(key)}: {instead}"
    holder[key] = json.loads(mark)
    return json.dumps(whole).replace(mark, instead, 1).encode()


def _somewhere(whole: Any, chance: random.Random) -> tuple[Any, Any]:
    """A container within, and one of its keys or indices; deep ones are as likely as shallow ones."""
    holder, key, inside = None, None, whole
    while isinstance(inside, dict | list) and inside:
        holder, key = inside, chance.choice(_keys(inside))
        if chance.random() < 0.3:
            break
        inside = holder[key]
    return holder, key


def _keys(inside: Mapping[str, Any] | list[Any]) -> list[Any]:
    return list(inside) if isinstance(inside, Mapping) else list(range(len(inside)))
