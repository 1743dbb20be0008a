"""The load of the soak and what it holds against it, on a service for a moment."""

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from benchmarks import bodies
from benchmarks.counters import Counters
from benchmarks.keyring import make_keys
from benchmarks.production_callers import ProductionCallers
from benchmarks.reckoning import reckon, segment_names
from benchmarks.streams import FORMS, Form
from models.registry import Registry
from service.store.database import open_engine
from service.store.schema import assignments
from tests.service.server import server
from tests.service.serving import until

KINDS = (
    "POST /segment 401", "POST /segment 403", "POST /segment 422", "POST /segment/batch 200",
    "DELETE /customers/{id} 200", "GET /customers/{id} 404", "GET /customers/{id}/export 200",
)  # fmt: skip


def test_all_that_production_sees_is_reckoned_to_the_last_row(
    store_url: str, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = make_keys(store_url)
    with server(database_url=store_url, models_dir=models_dir, workers=2) as running:
        counters = Counters(running.port, tokens["read"])
        with ProductionCallers(running.port, 4, share=0.02, length=1_200, bad=0.02, batch=20, tokens=tokens) as callers:
            until(lambda: callers.streams > 2 and all(callers.calls[kind] for kind in KINDS))
        told = len(callers.answers) + len(callers.erased)
        assert counters.differences(callers.calls, told) == []
        monkeypatch.setattr("benchmarks.counters.PATIENCE", 0.0)
        (said,) = counters.differences(callers.calls + Counter({"POST /segment 422": 1}), told)
        assert "POST /segment 422" in said
    assert (callers.refused, callers.broken) == ([], 0)
    found = reckon(store_url, callers.answers, segment_names(Registry(models_dir)), callers.erased)
    assert (found.faults, found.untold) == ([], 0)
    _give_a_row_to(callers.erased[0].customer_id, store_url)
    spoilt = reckon(store_url, callers.answers, segment_names(Registry(models_dir)), callers.erased)
    assert any(said.startswith("1 answers of customers who were erased") for said in spoilt.faults)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.media_type)
def test_of_a_stream_that_breaks_off_whole_answers_count_and_no_other(
    form: Form, store_url: str, models_dir: Path
) -> None:
    sent: list[dict[str, Any]] = [dict(one) for one in bodies.customers(2_500)]
    sent[0]["as_of"] = "2011-12-10T00:00:00Z"
    with server(database_url=store_url, models_dir=models_dir) as running:
        headers = {"content-type": form.media_type}
        body = httpx.post(f"{running.url}/segment/batch", content=form.body(sent), headers=headers, timeout=60).content
    whole = form.received(body, sent)
    assert (len(whole.told), whole.problems) == (2_500, [])
    cut = form.received(body[: len(body) // 2], sent)
    assert 0 < len(cut.told) < 2_500
    assert cut.told == whole.told[: len(cut.told)]
    assert form.received(b"", sent).told == []
    assert reckon(store_url, whole.told, segment_names(Registry(models_dir))).faults == []


def _give_a_row_to(customer: str, url: str) -> None:
    engine = open_engine(url)
    with engine.begin() as connection:
        some = sa.select(assignments.c.id).limit(1).scalar_subquery()
        connection.execute(sa.update(assignments).where(assignments.c.id == some).values(customer_id=customer))
    engine.dispose()
