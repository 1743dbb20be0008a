"""Assignments for tests, with only what the test cares about spelt out."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from service.store.assignment import Assignment
from service.store.ulid import UlidFactory

ULIDS = UlidFactory()
NOON = datetime(2011, 12, 10, 12, 0, 0, 123456, tzinfo=UTC)
PRODUCTS = json.dumps([{"product": "22423", "why": 'Café “\\ \t"', "chance": None}])
FEATURES = json.dumps({"recency": 12.5, "frequency": 34.0, "country": 'Côte d’Ivoire \\ \t"x"', "gap": None})


def assignment(customer_id: str = "17850", **fields: Any) -> Assignment:
    """An assignment with a new id, given last."""
    usual = Assignment(
        id=ULIDS.one(time.time_ns() // 1_000_000),
        customer_id=customer_id,
        as_of=NOON,
        assigned_at=NOON,
        model_version="20111210-3f2a",
        segment_id=1,
        segment_name="Champions",
        runner_up_id=2,
        runner_up_name="Loyal",
        confidence=0.8300000000000001,
        features=FEATURES,
    )
    return usual._replace(**fields)
