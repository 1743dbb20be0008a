"""What clients send, with only what a test cares about spelt out."""

import json
from collections.abc import Mapping
from typing import Any

FEATURES = {
    "recency": 12.0, "frequency": 5.0, "monetary": 812.5, "tenure": 200.0, "mean_gap": 47.0, "distinct_products": 40.0,
}  # fmt: skip
AS_OF = "2011-12-10T00:00:00Z"


def by_features(customer_id: Any = "17850", as_of: str | None = AS_OF, **changes: Any) -> dict[str, Any]:
    """A request by features; a change to None leaves the feature out."""
    features = {name: value for name, value in {**FEATURES, **changes}.items() if value is not None}
    return {"customer_id": customer_id, "features": features, **({"as_of": as_of} if as_of else {})}


def by_transactions(*lines: Mapping[str, Any], customer_id: Any = "17850", as_of: str | None = AS_OF) -> dict[str, Any]:
    return {"customer_id": customer_id, "transactions": list(lines), **({"as_of": as_of} if as_of else {})}


def line(**changes: Any) -> dict[str, Any]:
    """A purchase of six at 2.55 in the morning of 1 December 2011."""
    usual = {
        "invoice_no": "536365",
        "stock_code": "85123A",
        "quantity": 6,
        "invoice_date": "2011-12-01T08:26:00Z",
        "unit_price": 2.55,
        "country": "United Kingdom",
    }
    return {**usual, **changes}


def with_literal(name: str, literal: str) -> bytes:
    """A request by features in which one value is written as it stands, whether JSON knows it or not."""
    return json.dumps(by_features(**{name: "@"})).replace('"@"', literal).encode()
