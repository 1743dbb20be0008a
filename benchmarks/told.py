"""What a caller was told, and what the store must have of it."""

from collections.abc import Mapping
from datetime import datetime
from sys import intern
from typing import Any, NamedTuple, Self

from service.store.assignment import Assignment


class Told(NamedTuple):
    """What an answer and its row in the store must both say."""

    assignment_id: str
    customer_id: str
    as_of: datetime
    model_version: str
    segment: tuple[int, str]
    runner_up: tuple[int, str]
    confidence: float
    features: int  # a hash: there are millions of these

    @classmethod
    def of_answer(cls, answer: Mapping[str, Any]) -> Self:
        return cls(
            answer["assignment_id"],
            intern(answer["customer_id"]),
            datetime.fromisoformat(answer["as_of"]),
            intern(answer["model_version"]),
            (answer["segment"]["id"], intern(answer["segment"]["name"])),
            (answer["runner_up"]["id"], intern(answer["runner_up"]["name"])),
            answer["confidence"],
            hash(frozenset(answer["features"].items())),
        )

    @classmethod
    def of_columns(cls, row: Mapping[str, Any], features: Mapping[str, Any]) -> Self:
        """Of an answer that came as columns, which do not repeat the features that were sent."""
        return cls(
            row["assignment_id"],
            intern(row["customer_id"]),
            row["as_of"],
            intern(row["model_version"]),
            (row["segment_id"], intern(row["segment"])),
            (row["runner_up_id"], intern(row["runner_up"])),
            row["confidence"],
            hash(frozenset(features.items())),
        )

    @classmethod
    def of_row(cls, row: Assignment) -> Self:
        return cls(
            row.id,
            row.customer_id,
            row.as_of,
            row.model_version,
            (row.segment_id, row.segment_name),
            (row.runner_up_id, row.runner_up_name),
            row.confidence,
            hash(frozenset(row.feature_values.items())),
        )
