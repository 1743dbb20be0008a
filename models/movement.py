"""Who moved between segments since the model before, and why: the model changed, or the customers did."""

from pydantic import AwareDatetime, Field, model_validator

from models.evidence import Record
from models.wording import per_cent


class Flow(Record):
    """The customers who went from one segment to another, by what changed."""

    from_id: int
    to_id: int
    customers: int
    customer_changed: int
    model_changed: int
    both: int


class Movements(Record):
    """The customers known to both models: a is where the model before had them, b where it would have them by what is
    known now, c where the new model has them. Who has a ≠ c moved: the customer changed where b = c, the model where
    b = a, both where b is neither.
    """

    previous: str = Field(description="Version of the model before.")
    previous_as_of: AwareDatetime
    unavailable: str | None = Field(description="Why nothing can be told, where nothing can.")
    known: int = Field(description="Customers known to both models.")
    stayed: int
    moved_back: int = Field(
        description="Of those who stayed: the model before would now place them elsewhere, and this one does not."
    )
    moved: int
    customer_changed: int
    model_changed: int
    both: int
    new: int = Field(description="Customers known only now.")
    gone: int = Field(description="Customers known only then.")
    flows: tuple[Flow, ...] = Field(description="The largest first.")

    @model_validator(mode="after")
    def _adds_up(self) -> "Movements":
        if self.known != self.stayed + self.moved or self.moved_back > self.stayed:
            raise ValueError(f"the customers who stayed and moved do not add up to the {self.known} known")
        reasons = self.customer_changed + self.model_changed + self.both
        if not self.moved == reasons == sum(flow.customers for flow in self.flows):
            raise ValueError(f"the reasons and flows do not add up to the {self.moved} customers who moved")
        return self

    @property
    def says(self) -> str:
        if self.unavailable:
            return self.unavailable
        if not self.known:
            return f"No customer is known to both this model and {self.previous}."
        said = [
            f"{self.moved:,} of {self.known:,} customers known to both models moved "
            f"({per_cent(self.moved / self.known)}): {self.customer_changed:,} because they behaved differently, "
            f"{self.model_changed:,} because the model changed, {self.both:,} by both.",
            f"{self.moved_back:,} more behaved differently, but the new model has them where they were."
            if self.moved_back
            else "",
            f"{self.new:,} customers are new.",
            f"No longer known: {self.gone:,}." if self.gone else "",
        ]
        return " ".join(one for one in said if one)
