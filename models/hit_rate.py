"""How often a list of recommended products has one the customer then bought."""

from models.evidence import Record


class Share(Record):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class HitRates(Record):
    """Of `customers`, the share whose held-out order has at least one of the products each method recommends.

    `own_repeats` is what the customer bought in most orders, `pair_affinity` what their products speak for alone; a
    method that has fewer products is filled up by popularity. `times_popularity` is the recommender's over it, None
    where popularity hits nothing.
    """

    customers: int
    popularity: Share
    own_repeats: Share | None
    pair_affinity: Share
    recommender: Share
    times_popularity: Share | None


class RecommendationRecord(Record):
    """The measurement of the recommender: `all` products of the held-out order, and those `new` to the customer."""

    rule: str
    at: int
    held_out: int
    seed: int
    all: HitRates
    new: HitRates
