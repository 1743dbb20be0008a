"""Profiles of segments where the figures they are shares of may not be positive."""

from pathlib import Path

import numpy as np
import pytest

from models.segment import Segment
from tests.training.shops import demo_shop
from training.customers import describe
from training.preparation.prepare import prepare
from training.profiles import Members, profile
from training.reading.options import NO_OPTIONS
from training.summaries import summarise
from training.workspace import Workspace


def segments_of(source: Path, revenue_of_each: float) -> tuple[Segment, ...]:
    """Two segments of a shop in which every customer's net revenue is the same."""
    with Workspace() as workspace:
        prepared = prepare([str(source)], workspace, NO_OPTIONS)
        as_of = prepared.as_of
        lines, cleaned = prepared.lines, prepared.cleaned
        customers = describe(summarise(cleaned), as_of)
        ids = customers.known.ids
        features = {**customers.features, "monetary": np.full(len(ids), revenue_of_each)}
        members = Members(ids, np.arange(len(ids)) % 2 + 1, features, customers.known.summaries.country)
        return profile(members, {1: "first", 2: "second"}, cleaned, lines, workspace)


@pytest.mark.parametrize("revenue", [10.0, 0.0, -3.0])
def test_there_are_shares_of_a_positive_revenue_only(revenue: float, tmp_path: Path) -> None:
    found = segments_of(demo_shop(tmp_path / "shop.csv", customers=40, days=60), revenue)
    assert [segment.revenue_per_customer for segment in found] == [revenue, revenue]
    assert [segment.revenue_share for segment in found] == [segment.share if revenue > 0 else None for segment in found]
