"""The answer to one customer, as it is described to clients."""

from datetime import date

from pydantic import AwareDatetime, BaseModel, Field

from models.playbook import Playbook
from models.recommended_product import Kind
from service.problem import Problem
from service.store.assignment import Assignment


class SegmentName(BaseModel):
    """A segment, in short."""

    id: int
    name: str


class ReasonRecord(BaseModel):
    """A feature that put the customer here."""

    feature: str = Field(description="`Gender=Female` for a word of a feature in words; its value is then 1 or 0.")
    value: float
    segment_median: float = Field(description="Of a word: the share of members who have it.")
    base_median: float = Field(description="Of a word: the share of all customers who have it.")
    contribution: float = Field(description="Part of the margin to the runner-up, in squared scaled distance.")
    says: str


class OutsideTrainingRecord(BaseModel):
    """A value beyond what the model was trained on: read the answer with care."""

    feature: str
    value: float
    low: float
    high: float


class Share(SegmentName):
    """A segment the customer may belong to, and how likely."""

    share: float


class ByOrdersRecord(BaseModel):
    """The fewest further orders that move the customer up, each of the customer's average order value."""

    orders: int
    order_value: float = Field(description="In the data's currency.")
    segment: SegmentName


class BySpendRecord(BaseModel):
    """The smallest value of a single further order that moves the customer up."""

    spend: int = Field(description="In whole units of the data's currency.")
    segment: SegmentName


class NextSegmentRecord(BaseModel):
    """What it takes to move up to a segment with more revenue per customer, if it happens at `as_of`."""

    by_orders: ByOrdersRecord | None = Field(description="Null where not even 24 such orders do.")
    by_spend: BySpendRecord | None = Field(description="Null where no order does, or none up to 1,000 usual ones.")


class Offer(BaseModel):
    """A product to offer, and why."""

    product: str
    description: str | None
    kind: Kind = Field(
        description="repeat: the customer bought it before; bought_together: new to the customer, and bought with what "
        "they have; popular: what members of the segment buy more than others."
    )
    why: str
    chance: float | None = Field(description="Estimated chance that the next order has it; null for what is popular.")


class SegmentAdvice(Playbook):
    """What to do about the members of a segment: its playbook, and what they buy more than others."""

    detectable_uplift: float | None = Field(
        description="Smallest rise of the share who buy again that a test of this advice can show; null: none can."
    )
    products: list[str] = Field(description="Codes of the products offered, the most likely first.")
    offers: list[Offer] = Field(description="The same products, with the reason for each.")


class Recommendation(SegmentAdvice):
    """What to do about the customer: the segment's playbook within its limits, and products to offer."""

    discount_most_percent: int = Field(
        description="Highest discount the guard allows this customer; 0 also where orders or recency are not known."
    )
    held_out: bool = Field(
        description="Leave this customer without the advice: those who get it are compared to these."
    )


class AnswerRecord(BaseModel):
    """The stored answer for one customer."""

    assignment_id: str | None = Field(description="ULID of the stored answer; null in a dry run, which stores nothing.")
    customer_id: str
    as_of: AwareDatetime
    model_version: str
    segment: SegmentName
    confidence: float = Field(
        description="Share of customers so far from the border who stay in their segment when the model is fitted "
        "again to a resample of the customers."
    )
    runner_up: SegmentName
    membership: list[Share] = Field(
        description="The segment with the confidence, then the runner-up with its share of what is left."
    )
    reasons: list[ReasonRecord]
    contributions: dict[str, float] = Field(
        description="Every deciding feature's part of the margin; negative where it speaks for the runner-up."
    )
    margin: float | None = Field(
        description="Squared scaled distance to the runner-up less that to the segment: what the contributions add "
        "up to."
    )
    decays_on: date | None = Field(
        description="First day (UTC) on which the customer is in another segment if nothing is bought; null where "
        "that is not within three years."
    )
    becomes: SegmentName | None = Field(description="The segment of that day.")
    next_segment: NextSegmentRecord | None = Field(
        description="What moves the customer up; null where nothing does, or no order value is known."
    )
    outside_training: list[OutsideTrainingRecord]
    recommendation: Recommendation | None
    features: dict[str, float | str | None]
    ignored: dict[str, int] = Field(
        default_factory=dict, description="Transactions that were left out, by the cleaning rule that did."
    )

    @classmethod
    def bare(cls, row: Assignment) -> "AnswerRecord":
        """What is stored of an answer, where the model that gave it is gone."""
        stored = StoredRecord.of(row)
        return cls(
            **stored.model_dump(exclude={"assigned_at"}),
            membership=[Share(**stored.segment.model_dump(), share=row.confidence)],
            reasons=[],
            contributions={},
            margin=None,
            decays_on=None,
            becomes=None,
            next_segment=None,
            outside_training=[],
            recommendation=None,
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
