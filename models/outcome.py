"""What the members of a segment did later: the proof of its profile."""

from pydantic import AwareDatetime, Field

from models.evidence import Estimate, Record


class Outcome(Record):
    """The days after a cut-off, for customers whom a model of that moment, which knew no more, placed here."""

    cut_off: AwareDatetime
    horizon: int = Field(description="Days after the cut-off.")
    customers: int = Field(description="Customers placed here at the cut-off.")
    bought_again: Estimate = Field(description="Share of them who bought in those days, with its 95 % interval.")
    revenue_per_customer: Estimate = Field(description="Value of what they bought in those days, per customer.")
    rank: int = Field(description="1 is the segment with the most revenue per customer in those days.")
    says: str
