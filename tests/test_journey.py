"""The main job whole, on the real data: from a shop's file to a stored answer, by every way there is."""

import csv
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.artifact import read_artifact
from models.model import SegmentationModel
from models.proof import unpickle
from models.registry import Registry
from service.scoring import ScoreOrder, score
from tests.service.serving import serving, settings_for
from training.reading.read import read
from training.workspace import Workspace


def transactions(retail: str) -> dict[str, list[dict[str, Any]]]:
    """Every customer's lines, as a client would post them."""
    with Workspace() as workspace:
        table = read([retail], workspace).table
        rows = table.filter(table.customer.notnull()).order_by("line").to_pyarrow().to_pylist()
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        line = {
            "invoice_no": row["invoice"],
            "stock_code": row["product"],
            "description": row["description"],
            "quantity": row["quantity"],
            "invoice_date": row["at"].replace(tzinfo=UTC).isoformat(),
            "unit_price": row["price"],
            "country": row["country"],
        }
        found.setdefault(row["customer"], []).append(line)
    return found


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_every_real_customer_gets_one_answer_by_transactions_features_file_and_pipeline(
    retail: str, real_models: Path, tmp_path: Path, database_url: str
) -> None:
    artifact = read_artifact(real_models / Registry(real_models).active())
    as_of = artifact.manifest.as_of.isoformat()
    settings = settings_for(database_url, real_models)
    posted: dict[str, dict[str, Any]] = {}
    refused = 0
    with serving(settings, clock=lambda: artifact.manifest.as_of) as client:
        for customer, lines in transactions(retail).items():
            body = {"customer_id": customer, "as_of": as_of, "transactions": lines}
            response = client.post("/segment", json=body)
            if response.status_code == 422:  # returns only: nobody to place
                refused += 1
                continue
            posted[customer] = response.json()
            features = posted[customer]["features"]
            again = client.post("/segment", json={"customer_id": customer, "as_of": as_of, "features": features})
            # but for the products: what features say nothing of is the customer's own purchases
            for name in ("segment", "runner_up", "confidence", "reasons", "decays_on", "next_segment", "features"):
                assert again.json()[name] == posted[customer][name], customer
        assert client.get(f"/customers/{customer}").json()["segment"] == posted[customer]["segment"]
    assert (len(posted), refused) == (4_324, 48)

    out = tmp_path / "scored.csv"
    order = ScoreOrder(retail, out, None, False, {}, None)
    assert score(order, settings, artifact.manifest.as_of, lambda done: None, print) == 4_324
    with out.open(encoding="utf-8", newline="") as file:
        scored = {row["customer_id"]: row for row in csv.DictReader(file)}
    assert {one: int(row["segment_id"]) for one, row in scored.items()} == {
        one: answer["segment"]["id"] for one, answer in posted.items()
    }
    assert all(float(scored[one]["confidence"]) == answer["confidence"] for one, answer in posted.items())

    model = SegmentationModel.of(artifact)
    values = np.array([[answer["features"][name] for name in model.features] for answer in posted.values()])
    clusters = unpickle(artifact.files["pipeline.joblib"]).predict(values)
    ids = np.array(model.scorer.arrays.segment_ids)[clusters]
    assert ids.tolist() == [answer["segment"]["id"] for answer in posted.values()]
