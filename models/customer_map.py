"""Customers in two dimensions, to be looked at: where they lie, and which segment each is in."""

from pydantic import Field

from models.evidence import Record


class CustomerMap(Record):
    """A uniform sample of customers, without ids, along the first two principal components of their scaled features.

    `x` and `y` hold the coordinates, `segment_ids` the segments, all of the same length. `loadings` has each feature's
    weight in the two components, `explained` the share of the variance each carries.
    """

    features: tuple[str, ...]
    loadings: tuple[tuple[float, float], ...]
    explained: tuple[float, float]
    x: tuple[float, ...]
    y: tuple[float, ...]
    segment_ids: tuple[int, ...] = Field(description="In the order of the points.")
