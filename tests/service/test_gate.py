"""Every way to an assignment passes the suppression list: at once, hours later, after a restart, in any process."""

import ast
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_type_hints

import httpx
import pytest
import sqlalchemy as sa

from service import assigning
from service.__main__ import main
from service.assigned import AdmittedCase
from service.forms.form import Form
from service.store.database import open_engine
from service.store.personal_data import GUARDED, PersonalData
from service.store.schema import assignments, suppressions
from tests.service.forms.sent import SENT, as_ndjson, post
from tests.service.requests import by_features
from tests.service.serving import NOW, TestClient, serving, settings_for, until

ROOT = Path(__file__).parent.parent.parent
SERVICE = sorted((ROOT / "service").rglob("*.py"))
LATER = NOW + 2 * GUARDED  # the database has forgotten the id, and refuses by itself no longer
ITEMS = [by_features("1"), by_features("17850"), by_features("2")]
SUPPRESSED = "customer-suppressed"


def stored_for(url: str, customer_id: str = "17850") -> int:
    engine = open_engine(url)
    with engine.connect() as connection:
        query = sa.select(sa.func.count()).where(assignments.c.customer_id == customer_id)
        found: int = connection.execute(query).scalar_one()
    engine.dispose()
    return found


def guarded_ids(url: str) -> list[str]:
    """The ids that the database refuses by itself."""
    engine = open_engine(url)
    with engine.connect() as connection:
        query = sa.select(suppressions.c.customer_id).where(suppressions.c.customer_id.is_not(None))
        found: Sequence[str] = connection.execute(query).scalars().all()
    engine.dispose()
    return list(found)


@pytest.fixture(params=["at once", "hours later", "hours later, after a restart"])
def suppressing(request: pytest.FixtureRequest, store_url: str, models_dir: Path) -> Iterator[TestClient]:
    """A service whose customer 17850 was erased and suppressed."""
    moment = [NOW]

    def clock() -> datetime:
        return moment[0]

    with serving(settings_for(store_url, models_dir), clock) as client:
        assert client.post("/segment", json=by_features()).status_code == 200
        assert client.delete("/customers/17850?suppress=true").json()["suppressed"]
        if request.param != "at once":
            moment[0] = LATER
            until(lambda: guarded_ids(store_url) == [])
        if not request.param.endswith("restart"):
            yield client
            return
    with serving(settings_for(store_url, models_dir), clock) as client:
        yield client


def problem_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("type", "").rpartition(":")[2]


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "k"}, {"content-encoding": "identity"}], ids=str)
def test_one_customer(suppressing: TestClient, store_url: str, query: str, headers: dict[str, str]) -> None:
    for sent in ("17850", 17850, " 17850.0 "):
        refused = suppressing.post(f"/segment{query}", json=by_features(sent), headers=headers)
        assert problem_of(refused) == (409, SUPPRESSED)
        assert "17850" not in refused.text
    assert stored_for(store_url) == 0


def test_a_key_that_was_refused_is_free_for_another_body(suppressing: TestClient) -> None:
    headers = {"idempotency-key": "k"}
    assert problem_of(suppressing.post("/segment", json=by_features(), headers=headers)) == (409, SUPPRESSED)
    assert suppressing.post("/segment", json=by_features("2"), headers=headers).status_code == 200


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
@pytest.mark.parametrize("headers", [{}, {"idempotency_key": "k"}], ids=str)
def test_a_batch_in_any_form(suppressing: TestClient, store_url: str, query: str, headers: dict[str, str]) -> None:
    for sent in SENT:
        own = {name: f"{value}-{sent.replace(' ', '-')}" for name, value in headers.items()}
        for _ in range(2):  # with a key, the second is a replay
            response = post(suppressing, sent, SENT[sent][1](ITEMS), Form.NDJSON, query=query, **own)
            results = [json.loads(line) for line in response.text.splitlines()]
            assert ["answer" in one for one in results] == [True, False, True], sent
            assert results[1]["problem"]["type"].endswith(SUPPRESSED)
        by_columns = post(suppressing, sent, SENT[sent][1](ITEMS), Form.ARROW, query=query, **own)
        assert by_columns.content.count(SUPPRESSED.encode()) == 1, sent
    assert stored_for(store_url) == 0


@pytest.mark.parametrize("sent", SENT)
def test_a_batch_that_goes_on_where_it_was_interrupted(store_url: str, models_dir: Path, sent: str) -> None:
    """Interrupted after all was stored and before that was noted; then the customer is suppressed."""
    moment = [NOW]

    def clock() -> datetime:
        return moment[0]

    body = SENT[sent][1](ITEMS)
    with serving(settings_for(store_url, models_dir), clock) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.batch_response.BatchTurn.end", _interrupted)
        post(client, sent, body, Form.NDJSON, idempotency_key="night")
        assert stored_for(store_url) == 1
        assert client.delete("/customers/17850?suppress=true").json()["answers"] == 1
    moment[0] = LATER
    with serving(settings_for(store_url, models_dir), clock) as client:
        until(lambda: guarded_ids(store_url) == [])
        response = post(client, sent, body, Form.NDJSON, idempotency_key="night")
    results = [json.loads(line) for line in response.text.splitlines()]
    assert ["answer" in one for one in results] == [True, False, True]
    assert results[1]["problem"]["type"].endswith(SUPPRESSED)
    assert (stored_for(store_url), stored_for(store_url, "1"), stored_for(store_url, "2")) == (0, 1, 1)


async def _interrupted(_turn: object) -> None:
    """The process ends here."""


def test_an_answer_that_was_given_before_the_suppression_is_not_given_again(suppressing: TestClient) -> None:
    headers = {"idempotency-key": "before"}
    assert suppressing.post("/segment", json=by_features("3"), headers=headers).status_code == 200
    assert suppressing.delete("/customers/3?suppress=true").status_code == 200
    assert problem_of(suppressing.post("/segment", json=by_features("3"), headers=headers)) == (409, SUPPRESSED)


@pytest.mark.parametrize("stored", [["--store"], []], ids=["stored", "not stored"])
def test_a_scored_file(
    suppressing: TestClient, store_url: str, models_dir: Path, tmp_path: Path, stored: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", store_url)
    monkeypatch.setenv("SEGMENTATION_MODELS_DIR", str(models_dir))
    table, out = tmp_path / "customers.csv", tmp_path / "answers.ndjson"
    table.write_bytes(SENT["csv"][1](ITEMS))
    assert main(["score", str(table), "--out", str(out), *stored]) == 0
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert ["suppressed" in one.get("problem", "") for one in lines] == [False, True, False]
    assert stored_for(store_url) == 0


def test_without_the_suppression_list_no_file_is_scored(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEGMENTATION_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("SEGMENTATION_MODELS_DIR", str(models_dir))
    table, out = tmp_path / "customers.csv", tmp_path / "answers.ndjson"
    table.write_bytes(SENT["csv"][1](ITEMS))
    assert main(["score", str(table), "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert "the suppression list cannot be read" in said
    assert "SEGMENTATION_DATABASE_URL" in said
    assert not out.exists()


def test_suppressed_a_moment_ago_by_another_process_nothing_is_stored(store_url: str, models_dir: Path) -> None:
    """This process has the list of before, and looks again in an hour. Then the database refuses the row."""
    engine = open_engine(store_url)
    with serving(settings_for(store_url, models_dir, model_poll_seconds=3_600)) as client:
        PersonalData(engine).erase("17850", "another process", NOW, suppress=True)
        for headers in ({}, {"idempotency-key": "k"}):
            assert problem_of(client.post("/segment", json=by_features(), headers=headers)) == (422, "row-refused")
        for key in ({}, {"idempotency_key": "k"}):
            for sent in SENT:
                own = {name: f"{value}-{sent.replace(' ', '-')}" for name, value in key.items()}
                response = post(client, sent, SENT[sent][1](ITEMS), Form.NDJSON, **own)
                results = [json.loads(line) for line in response.text.splitlines()]
                assert [one.get("problem", {}).get("type", "").rpartition(":")[2] for one in results] == [
                    "", "row-refused", "",
                ]  # fmt: skip
        # What is not stored is answered by the list that this process has, which is a second old at most.
        assert client.post("/segment?dry_run=true", json=by_features()).status_code == 200
        client.app.state.service.suppressed.refresh()  # type: ignore[attr-defined]  # an ASGI application to the client
        assert problem_of(client.post("/segment?dry_run=true", json=by_features())) == (409, SUPPRESSED)
    engine.dispose()
    assert stored_for(store_url) == 0


def test_the_list_is_given_up_long_before_the_database_forgets(
    store_url: str, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long this process cannot read the list: once the database no longer refuses, this process does."""
    elapsed = timedelta(0)
    with serving(settings_for(store_url, models_dir, model_poll_seconds=3_600)) as client:
        suppressed = client.app.state.service.suppressed  # type: ignore[attr-defined]  # as above
        read_at = suppressed._good_until
        for elapsed in (GUARDED / 2 + timedelta(seconds=1), GUARDED, 10 * GUARDED):
            monkeypatch.setattr(suppressed, "_good_until", read_at - elapsed.total_seconds())
            for headers in ({}, {"idempotency-key": "k"}):
                for query in ("", "?dry_run=true"):
                    answer = client.post(f"/segment{query}", json=by_features("2"), headers=headers)
                    assert answer.status_code == 503
            assert post(client, Form.NDJSON, as_ndjson(ITEMS)).status_code == 503
    assert stored_for(store_url, "2") == 0


# What the code may and may not do; that callers pass admitted customers is held by mypy, for which AdmittedCase is
# a type of its own.


def calls_in(path: Path) -> Iterator[tuple[str, str]]:
    """The function around each call, and the name that is called."""
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    yield function.name, ast.unparse(node.func)


def callers_of(*names: str) -> set[str]:
    return {
        f"{path.relative_to(ROOT).as_posix()}::{function}"
        for path in SERVICE
        for function, called in calls_in(path)
        if called in names
    }


def test_only_the_gate_admits() -> None:
    assert callers_of("AdmittedCase") == {
        "service/suppressed.py::admit",
        "service/suppressed.py::admit_many",
    }


def test_an_assignment_is_made_of_an_admitted_customer_only() -> None:
    made = callers_of("Assignment", "Assignment._make")
    assert made == {"service/assigning.py::_row", "service/forms/checked_columns.py::rows"}
    for function in (assigning.assign, assigning._row):
        assert get_type_hints(function)["case"] is AdmittedCase
    assert get_type_hints(assigning.assign_many)["cases"] == Sequence[AdmittedCase]


def test_columns_are_made_by_the_function_that_asks_the_gate_only() -> None:
    assert callers_of("CheckedColumns") == {"service/forms/checked_columns.py::checked"}
    assert callers_of("checked") == {"service/batch.py::_decide"}
    decide = (ROOT / "service/batch.py").read_text("utf-8")
    assert "checked(chunk, self.served, self.now, self.service.suppressed.among)" in decide


def test_a_case_is_read_only_by_those_who_show_it_to_the_gate() -> None:
    assert callers_of("case_of") == {
        "service/assigning.py::_case_in",
        "service/batch.py::_case",
        "service/forms/checked_columns.py::_alone",
        "service/scoring.py::_case",
    }
    assert callers_of("_case_in") == {"service/assigning.py::decode_case"}
    assert callers_of("decode_case") == {
        "service/assigning.py::answer_dry",
        "service/assigning.py::answer_one",
        "service/keyed_answer.py::_first",
        "service/keyed_answer.py::_worded",
    }


def test_the_types_refuse_a_customer_who_was_not_admitted(tmp_path: Path) -> None:
    from mypy import api

    program = tmp_path / "unchecked.py"
    program.write_text(
        "from service.assigned import Assigned, Case\n"
        "from service.assigning import assign, assign_many\n"
        "from typing import Any\n"
        "def one(case: Case, served: Any, ids: Any, now: Any) -> Assigned:\n"
        "    return assign(case, served, ids, now)\n"
        "def many(cases: list[Case], served: Any, ids: Any, now: Any) -> list[Assigned]:\n"
        "    return assign_many(cases, served, ids, now)\n"
    )
    said, _, code = api.run(["--strict", "--cache-dir", str(ROOT / ".mypy_cache"), str(program)])
    assert code == 1
    assert said.count('expected "AdmittedCase"') + said.count('expected "Sequence[AdmittedCase]"') == 2, said
