"""Identifiers that sort by the time they were made: https://github.com/ulid/spec."""

import os
import threading

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26
LATEST_MS = 2**48 - 1

RANDOM_BITS = 80
RANDOM_BYTES = RANDOM_BITS // 8
AT_ONCE = 64  # random numbers that are asked for
PAIR_BITS = 10
# Two characters at a time: 13 look-ups for an id, and for a run of ids only the last one changes.
PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
PAIR_COUNT = len(PAIRS)
HEAD_SHIFTS = range((LENGTH // 2 - 1) * PAIR_BITS, 0, -PAIR_BITS)


class UlidFactory:
    """Makes ULIDs, each greater than all before it from the same factory; safe between threads, and to be made anew in
    a process that was forked.

    Within one millisecond, and when the clock steps back, the next id is the last one plus one.
    Between processes ids differ by their 80 random bits.
    """

    def __init__(self) -> None:
        self._last = -1
        self._lock = threading.Lock()
        self._pool = b""  # random bytes; to ask the operating system gives up Python's lock, so it is asked for many
        self._latest = (-1, "")  # all but the last ten bits of an id, and how they are written

    def one(self, at_ms: int) -> str:
        """The next id, made at `at_ms` milliseconds since 1970 (UTC)."""
        first = self._reserve(1, at_ms)
        of, head = self._latest
        if of != first >> PAIR_BITS:
            of, head = self._latest = first >> PAIR_BITS, _head(first)
        return head + PAIRS[first % PAIR_COUNT]

    def many(self, count: int, at_ms: int) -> list[str]:
        """The next `count` ids in rising order, as if made one by one at `at_ms`."""
        return run(self._reserve(count, at_ms), count) if count >= 1 else []

    def _reserve(self, count: int, at_ms: int) -> int:
        """The first of `count` consecutive 128-bit numbers that nobody has had yet."""
        if not 0 <= at_ms <= LATEST_MS:
            raise ValueError(f"A ULID cannot carry the time {at_ms} ms; give 0 to {LATEST_MS} ms since 1970.")
        with self._lock:
            # Comparing milliseconds, not numbers: in the same millisecond the last id goes on. A
            # run that overflows the random bits carries into the time, which keeps the order.
            start = self._last + 1
            if at_ms > self._last >> RANDOM_BITS:
                start = at_ms << RANDOM_BITS | self._random()
            self._last = start + count - 1
        return start

    def _random(self) -> int:
        pool = self._pool or os.urandom(AT_ONCE * RANDOM_BYTES)
        self._pool = pool[RANDOM_BYTES:]
        return int.from_bytes(pool[:RANDOM_BYTES])


class GivenIds(UlidFactory):
    """Gives out ids that were chosen before."""

    def __init__(self, ids: list[str]) -> None:
        super().__init__()
        self._ids = ids

    def one(self, at_ms: int) -> str:
        return self.many(1, at_ms)[0]

    def many(self, count: int, at_ms: int) -> list[str]:
        if count != len(self._ids):
            raise ValueError(f"{count} ids are asked for, and {len(self._ids)} were chosen.")
        return self._ids


def run(start: int, count: int) -> list[str]:
    """The ULIDs of `count` consecutive numbers."""
    end = start + count
    ids: list[str] = []
    while start < end:
        low = start % PAIR_COUNT
        high = min(PAIR_COUNT, low + end - start)
        head = _head(start)
        ids += [head + pair for pair in PAIRS[low:high]]
        start += high - low
    return ids


def first_of(at_ms: int) -> str:
    """The least ULID of a millisecond since 1970 (UTC)."""
    return run(at_ms << RANDOM_BITS, 1)[0]


def number_of(ulid: str) -> int:
    """The 128-bit number that a ULID is."""
    number = 0
    for character in ulid:
        number = number << 5 | ALPHABET.index(character)
    return number


def _head(number: int) -> str:
    """The first 24 characters of a 128-bit number in Crockford's base 32."""
    return "".join([PAIRS[number >> shift & PAIR_COUNT - 1] for shift in HEAD_SHIFTS])
