"""What was decided of one convention, and why."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Decision(Generic[T]):
    """The value, and a sentence with the counts that prove it; None where there was nothing to decide."""

    value: T
    evidence: str | None = None


def counted(count: int, noun: str) -> str:
    """`1 line`, `2,517 lines`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
