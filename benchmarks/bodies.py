"""The requests that are sent: the same to every server, for customers that differ."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np

NAMES = (
    "recency", "frequency", "monetary", "tenure", "average_order_value", "distinct_products", "mean_gap",
    "typical_quantity",
)  # fmt: skip
LINES = 30


def customers(count: int, seed: int = 0) -> list[dict[str, object]]:
    """Customers with eight features each."""
    random = np.random.default_rng(seed)
    orders = 1 + random.poisson(4, count)
    spent = random.lognormal(6.5, 1.1, count)
    tenure = random.uniform(20, 370, count)
    columns = (
        tenure * random.uniform(0, 1, count), orders, spent, tenure, spent / orders, 1 + random.poisson(40, count),
        tenure / orders, random.choice([1, 2, 6, 12], count),
    )  # fmt: skip
    return [
        {"customer_id": str(10_000 + index), "features": dict(zip(NAMES, map(float, row), strict=True))}
        for index, row in enumerate(zip(*columns, strict=True))
    ]


def purchases(count: int, seed: int = 0) -> list[dict[str, object]]:
    """Customers with thirty transactions each."""
    random = np.random.default_rng(seed)
    start = datetime(2011, 1, 1, tzinfo=UTC)
    found: list[dict[str, object]] = []
    for index in range(count):
        lines = [
            {
                "invoice_no": str(500_000 + index * 10 + line // 6),
                "stock_code": str(20_000 + int(random.integers(4_000))),
                "quantity": int(random.choice([1, 2, 6, 12])),
                "invoice_date": (start + timedelta(days=int(line // 6) * 40 + index % 30)).isoformat(),
                "unit_price": round(float(random.lognormal(0.7, 0.6)), 2),
            }
            for line in range(LINES)
        ]
        body: dict[str, object] = {
            "customer_id": str(10_000 + index),
            "as_of": "2011-12-10T00:00:00Z",
            "transactions": lines,
        }
        found.append(body)
    return found


def encoded(bodies: list[dict[str, object]]) -> list[bytes]:
    """As JSON."""
    return [json.dumps(body, separators=(",", ":")).encode() for body in bodies]
