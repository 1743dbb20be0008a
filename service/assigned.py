"""A customer to assign, and the same customer once the segment is decided."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, NewType

from models.bought import Bought
from models.forecast.transitions import Decay, NextSegment
from service.store.assignment import Assignment


class Case(NamedTuple):
    """A customer whose features are known. `values` are those that decide, in the model's order.

    `bought` is what the customer bought by product, where that is known.
    """

    customer_id: str
    as_of: datetime
    values: Sequence[float]
    features: Mapping[str, float | str]
    ignored: Mapping[str, int]
    bought: Mapping[str, Bought] | None = None


# A customer who may be assigned. Only `Suppressed` makes one of a case, so that every assignment passes its list.
AdmittedCase = NewType("AdmittedCase", Case)


class Assigned:
    """A customer whose segment is decided: the row to store, and what the answer is worded from meanwhile.

    `nearest` and `second` index the model's segments; `contributions` are in the order of its features, of which
    `strongest` carried the decision. `decay` is where the customer goes by buying nothing, `following` by buying more.
    """

    __slots__ = ("case", "contributions", "decay", "following", "nearest", "row", "second", "strongest")

    def __init__(
        self,
        case: Case,
        row: Assignment,
        nearest: int,
        second: int,
        contributions: Sequence[float],
        strongest: Sequence[int],
        decay: Decay | None,
        following: NextSegment | None,
    ) -> None:
        self.case = case
        self.row = row
        self.nearest = nearest
        self.second = second
        self.contributions = contributions
        self.strongest = strongest
        self.decay = decay
        self.following = following
