"""What most people write: pydantic body, `pipeline.predict` on one row, one SQLAlchemy commit per request."""

import os
from pathlib import Path

import joblib
import numpy as np
import sqlalchemy as sa
from fastapi import FastAPI

from benchmarks.yardstick import Customer

metadata = sa.MetaData()
answers = sa.Table(
    "answers",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("customer_id", sa.String, nullable=False),
    sa.Column("segment", sa.Integer, nullable=False),
)


def make_app() -> FastAPI:
    """The application; NAIVE_MODEL is a pipeline.joblib of ours, NAIVE_DATABASE a SQLAlchemy URL."""
    pipeline = joblib.load(Path(os.environ["NAIVE_MODEL"]))  # a file this very run has made
    engine = sa.create_engine(os.environ["NAIVE_DATABASE"])
    metadata.create_all(engine)
    app = FastAPI()

    @app.get("/health/ready")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    def assign(body: Customer) -> dict[str, object]:
        sent = body.features
        values = np.array([[sent.recency, sent.frequency, sent.monetary, sent.tenure]])
        segment = int(pipeline.predict(values)[0])
        with engine.begin() as connection:
            connection.execute(sa.insert(answers).values(customer_id=body.customer_id, segment=segment))
        return {"customer_id": body.customer_id, "segment": segment}

    @app.post("/segment")
    def one(body: Customer) -> dict[str, object]:
        return assign(body)

    @app.post("/segment/batch")
    def many(body: list[Customer]) -> list[dict[str, object]]:
        return [assign(customer) for customer in body]

    return app
