"""The answer to one customer: how it is described to clients, and how it is encoded, once."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, Field
from pydantic_core import to_json

from models.explanation import OutsideTraining, Reason
from service.problem import Problem
from service.served_model import ServedModel
from service.store.assignment import Assignment


class SegmentName(BaseModel):
    """A segment, in short."""

    id: int
    name: str


class ReasonRecord(BaseModel):
    """A feature that put the customer here."""

    feature: str
    value: float
    segment_median: float
    base_median: float
    contribution: float = Field(description="Part of the margin to the runner-up, in squared scaled distance.")
    says: str


class OutsideTrainingRecord(BaseModel):
    """A value beyond what the model was trained on: read the answer with care."""

    feature: str
    value: float
    low: float
    high: float


class Recommendation(BaseModel):
    """What to do about the customer: the segment's playbook, and what its members buy more than others."""

    goal: str
    action: str
    offer: str
    channel: str
    timing: str
    avoid: str
    products: list[str]


class AnswerRecord(BaseModel):
    """The stored answer for one customer."""

    assignment_id: str = Field(description="ULID of the stored answer.")
    customer_id: str
    as_of: AwareDatetime
    model_version: str
    segment: SegmentName
    confidence: float = Field(
        description="Distance to the second nearest centre over the sum of the two nearest: 0.5 on the border, "
        "1 on the centre."
    )
    runner_up: SegmentName
    reasons: list[ReasonRecord]
    outside_training: list[OutsideTrainingRecord]
    recommendation: Recommendation | None
    features: dict[str, float | str | None]
    ignored: dict[str, int] = Field(
        default_factory=dict, description="Transactions that were left out, by the cleaning rule that did."
    )


class StoredRecord(BaseModel):
    """An answer as the store has it, without the words around it."""

    assignment_id: str
    customer_id: str
    as_of: AwareDatetime
    assigned_at: AwareDatetime
    model_version: str
    segment: SegmentName
    runner_up: SegmentName
    confidence: float
    features: dict[str, float | str | None]

    @classmethod
    def of(cls, row: Assignment) -> "StoredRecord":
        return cls(
            assignment_id=row.id,
            customer_id=row.customer_id,
            as_of=row.as_of,
            assigned_at=row.assigned_at,
            model_version=row.model_version,
            segment=SegmentName(id=row.segment_id, name=row.segment_name),
            runner_up=SegmentName(id=row.runner_up_id, name=row.runner_up_name),
            confidence=row.confidence,
            features=row.feature_values,
        )


class BatchItem(BaseModel):
    """One item of a batch: its place in the list sent, and its answer or its problem."""

    index: int
    answer: AnswerRecord | None = None
    problem: Problem | None = None


class BatchAnswer(BaseModel):
    """The items in the order they were sent."""

    assigned: int
    failed: int
    results: list[BatchItem]


def utc_text(moment: datetime) -> str:
    """ISO 8601 in UTC with Z, as every time in an answer is written."""
    return moment.isoformat().replace("+00:00", "Z")


def encode(
    served: ServedModel,
    *,
    assignment_id: str,
    customer_id: str,
    as_of: datetime,
    nearest: int,
    second: int,
    confidence: float,
    reasons: Sequence[Reason],
    outside: Sequence[OutsideTraining],
    features: bytes,
    ignored: Mapping[str, int],
) -> bytes:
    """The answer as JSON, an `AnswerRecord`; `nearest` and `second` index the model's segments.

    What depends on the segment alone was encoded when the model was loaded, so only the customer's own part is
    encoded here.
    """
    here, next_best = served.fragments[nearest], served.fragments[second]
    own = to_json(
        {
            "assignment_id": assignment_id,
            "customer_id": customer_id,
            "as_of": utc_text(as_of),
            "model_version": served.model.version,
            "confidence": confidence,
            "reasons": [reason._asdict() for reason in reasons],
            "outside_training": [one._asdict() for one in outside],
            "ignored": ignored,
        }
    )
    return b"".join(
        (
            own[:-1],
            b',"segment":',
            here.segment,
            b',"runner_up":',
            next_best.segment,
            b',"recommendation":',
            here.recommendation,
            b',"features":',
            features,
            b"}",
        )
    )
