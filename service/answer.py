"""The answer to one customer, as it is described to clients."""

from pydantic import AwareDatetime, BaseModel, Field

from models.playbook import Playbook
from service.problem import Problem
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


class Recommendation(Playbook):
    """What to do about the customer: the segment's playbook, and what its members buy more than others."""

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
