"""The suppression list is honoured by every call, in every process."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest

from service.caretaker import Caretaker
from service.errors import CustomerSuppressed
from service.forms.form import Form
from service.pulse import Pulse
from service.store.database import open_engine
from service.store.errors import StoreUnavailable
from service.store.personal_data import PersonalData
from service.suppressed import Suppressed
from tests.service.requests import FEATURES, by_features
from tests.service.server import ROOT, server
from tests.service.serving import NOW, TestClient, serving, settings_for, until

SUPPRESSED = "urn:segmentation:problem:customer-suppressed"


@pytest.fixture
def suppressing(client: TestClient) -> TestClient:
    """A service in which customer 17850 was erased and suppressed."""
    assert client.post("/segment", json=by_features()).status_code == 200
    erased = client.delete("/customers/17850?suppress=true").json()
    assert erased == {"answers": 1, "current": 1, "replays": 0, "suppressed": True}
    return client


@pytest.mark.parametrize("address", ["/segment", "/segment?dry_run=true"])
@pytest.mark.parametrize("sent", ["17850", 17850, " 17850.0 "])
def test_a_suppressed_customer_is_not_assigned(suppressing: TestClient, address: str, sent: Any) -> None:
    refused = suppressing.post(address, json=by_features(sent))
    assert (refused.status_code, refused.json()["type"]) == (409, SUPPRESSED)
    assert "17850" not in refused.text
    assert suppressing.post(address, json=by_features("2")).status_code == 200
    assert suppressing.get("/customers/17850").status_code == 404


def batch_of(form: Form) -> bytes:
    ids = ["1", "17850", "2"]
    table = {"customer_id": ids, **{name: [value] * len(ids) for name, value in FEATURES.items()}}
    if form is Form.ARROW:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, pa.table(table).schema) as writer:
            writer.write_table(pa.table(table))
        return bytes(sink.getvalue())
    if form is Form.CSV:
        rows = zip(*table.values(), strict=True)
        return "\n".join([",".join(table), *(",".join(map(str, row)) for row in rows)]).encode()
    requests = [json.dumps(by_features(one)) for one in ids]
    return ("\n".join(requests) if form is Form.NDJSON else f"[{','.join(requests)}]").encode()


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("parameters", ["", "?dry_run=true"])
def test_in_a_batch_a_suppressed_customer_fails_alone(suppressing: TestClient, form: Form, parameters: str) -> None:
    headers = {"content-type": form, "accept": form}
    response = suppressing.post(f"/segment/batch{parameters}", content=batch_of(form), headers=headers)
    assert response.status_code == 200
    assert response.content.count(b"customer-suppressed") == 1
    stored = [suppressing.get(f"/customers/{one}").status_code for one in ("1", "17850", "2")]
    assert stored == ([200, 404, 200] if not parameters else [404, 404, 404])


def test_a_batch_of_columns_leaves_a_suppressed_customer_out(suppressing: TestClient) -> None:
    columns = {"customer_id": ["1", "17850"], **{name: [value] * 2 for name, value in FEATURES.items()}}
    rows = list(zip(*columns.values(), strict=True))
    response = suppressing.post("/segment/batch", json={"columns": list(columns), "rows": rows})
    assert response.status_code == 200
    assert response.text.count("customer-suppressed") == 1


def test_an_audience_has_no_suppressed_customer(client: TestClient) -> None:
    segment = client.post("/segment", json=by_features()).json()["segment"]["id"]
    client.post("/segment", json=by_features("2"))
    client.delete("/customers/17850?suppress=true")
    audience = client.get(f"/segments/{segment}/customers").json()
    assert [one["customer_id"] for one in audience["customers"]] == ["2"]
    assert audience["total"] == 1


def test_every_worker_honours_the_list_once_the_call_is_answered(store_url: str, models_dir: Path) -> None:
    """Four processes are asked for one customer all the while; after the answer to the suppression none stores it."""
    suppressed = threading.Event()
    late: list[int] = []
    kinds: set[str] = set()

    def ask(url: str) -> None:
        with httpx.Client(timeout=60) as caller:
            refusals = 0
            while refusals < 20:
                after = suppressed.is_set()
                answer = caller.post(f"{url}/segment", json=by_features())
                if answer.status_code != 200:
                    kinds.add(answer.json()["type"].rpartition(":")[2])
                    refusals += answer.json()["type"] == SUPPRESSED
                elif after:
                    late.append(answer.status_code)
                    return

    with server(database_url=store_url, models_dir=models_dir, workers=4) as running:
        url = running.url
        callers = [threading.Thread(target=ask, args=(url,)) for _ in range(8)]
        for one in callers:
            one.start()
        until(lambda: len(httpx.get(f"{url}/customers/17850/history").json().get("answers", [])) > 20)
        assert httpx.delete(f"{url}/customers/17850?suppress=true", timeout=60).json()["answers"] > 20
        suppressed.set()
        for one in callers:
            one.join()
        assert httpx.get(f"{url}/customers/17850/history").status_code == 404
    assert late == []
    # Those that were checked the moment before are refused by the database.
    assert kinds <= {"customer-suppressed", "row-refused"}


@pytest.fixture
def personal(database_url: str) -> Iterator[PersonalData]:
    engine = open_engine(database_url)
    yield PersonalData(engine)
    engine.dispose()


def test_without_the_list_nobody_is_assigned(personal: PersonalData, monkeypatch: pytest.MonkeyPatch) -> None:
    suppressed, moment = Suppressed(personal, lambda: NOW), 1_000.0
    monkeypatch.setattr("service.suppressed.time.monotonic", lambda: moment)
    for ask in (lambda: suppressed.check("1"), lambda: suppressed.among(["1"])):
        with pytest.raises(StoreUnavailable, match="not known who is suppressed"):
            ask()
    suppressed.refresh()
    suppressed.check("1")
    moment += 1_799
    suppressed.check("1")
    moment += 2
    with pytest.raises(StoreUnavailable):
        suppressed.check("1")


def test_another_process_learns_of_it_and_of_its_end(personal: PersonalData) -> None:
    suppressed = Suppressed(personal, lambda: NOW)

    def knows() -> bool:
        try:
            suppressed.check("1")
        except CustomerSuppressed:
            return True
        return False

    async def follow() -> None:
        suppressed.refresh()
        watching = Pulse(suppressed.look, 0.01)
        watching.start()
        await asyncio.to_thread(personal.erase, "1", "me", NOW, True)
        await asyncio.to_thread(until, knows)
        await asyncio.to_thread(personal.lift, "1", "me", NOW)
        await asyncio.to_thread(until, lambda: not knows())
        await watching.close(60)

    asyncio.run(follow())
    assert not knows()


def run(*arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    given = {f"SEGMENTATION_{name.upper()}": str(value) for name, value in settings.items()}
    command = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


def test_the_commands_suppress_list_and_lift(sqlite_url: str, models_dir: Path, tmp_path: Path) -> None:
    known = {"database_url": sqlite_url, "models_dir": models_dir}
    assert run("customers", "suppress", " 17850.0 ", **known).stdout == "suppressed; 0 answers erased\n"
    listed = run("customers", "list", **known).stdout
    assert len(listed.splitlines()) == 1
    assert "17850" not in listed.split()[0]
    table = tmp_path / "customers.csv"
    table.write_bytes(batch_of(Form.CSV))
    out = tmp_path / "answers.ndjson"
    assert run("score", str(table), "--out", str(out), "--store", **known).returncode == 0
    scored = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert ["problem" in one for one in scored] == [False, True, False]
    assert run("customers", "unsuppress", "17850", **known).stdout == "suppressed no longer\n"
    again = run("customers", "unsuppress", "17850", **known)
    assert (again.returncode, again.stderr) == (1, "customers unsuppress: this customer is not suppressed\n")
    assert run("customers", "suppress", "", **known).returncode == 2


def test_old_answers_are_removed_once_a_day_by_one_of_many(sqlite_url: str, models_dir: Path) -> None:
    moment = [NOW]

    def clock() -> datetime:
        return moment[0]

    with serving(settings_for(sqlite_url, models_dir, retention_days=30), clock) as client:
        client.post("/segment", json=by_features())
    moment[0] += timedelta(days=31)
    with serving(settings_for(sqlite_url, models_dir, retention_days=30), clock) as client:
        client.post("/segment", json=by_features("2"))
        until(lambda: client.get("/customers/17850").status_code == 404)
        assert client.get("/customers/2").status_code == 200
    engine = open_engine(sqlite_url)
    Caretaker(engine, 1, lambda: moment[0] + timedelta(hours=23)).purge()
    assert PersonalData(engine).holding("2").current is not None
    Caretaker(engine, 1, lambda: moment[0] + timedelta(hours=25)).purge()
    assert PersonalData(engine).holding("2").current is None
    engine.dispose()


def test_purging_by_command_says_what_it_does(sqlite_url: str, models_dir: Path) -> None:
    with serving(settings_for(sqlite_url, models_dir)) as client:  # its clock is in 2011
        client.post("/segment", json=by_features())
    known = {"database_url": sqlite_url, "models_dir": models_dir}
    assert run("purge", **known).returncode == 2
    would = run("purge", "--older-than", "365", "--dry-run", **known).stdout
    assert would == "1 answers would be removed, and 1 customers with all of theirs\n"
    done = run("purge", "--vacuum", retention_days=365, **known)
    assert done.stdout == "1 answers removed, and 1 customers with all of theirs\n"
    assert run("purge", "--older-than", "0", **known).returncode == 2
