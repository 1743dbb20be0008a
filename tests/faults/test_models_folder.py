"""The folder of models is damaged, emptied or made read-only while a service answers by one of them."""

import shutil
from pathlib import Path

import httpx

from tests.faults.load import Load
from tests.faults.service import BOUND
from tests.faults.small_disk import SmallDisk
from tests.published import Published
from tests.service.server import Server, server
from tests.service.serving import until


def readiness(running: Server) -> httpx.Response:
    return httpx.get(f"{running.url}/health/ready", timeout=BOUND)


def trouble(running: Server) -> str:
    answer = readiness(running)
    assert answer.status_code == 200
    return str(answer.json()["trouble"] or "")


def test_a_damaged_model_is_said_and_the_one_that_was_loaded_goes_on(
    store: str, own_models_dir: Path, models_dir: Path, published: Published
) -> None:
    settings = {"database_url": store, "models_dir": own_models_dir, "model_poll_seconds": 0.1}
    with server(**settings) as running, Load(running.port) as load:
        load.wait_for_answers(60)
        with (own_models_dir / published.second / "scorer.json").open("r+b") as file:
            file.write(b"\0" * 100)
        (own_models_dir / "ACTIVE").write_text(published.second + "\n")
        until(lambda: "scorer.json" in trouble(running))
        load.wait_for_answers(60)
        (own_models_dir / "ACTIVE").write_text("\0\0 not a version")
        until(lambda: "scorer.json" not in trouble(running) and trouble(running) != "")
        shutil.rmtree(own_models_dir / published.first)
        (own_models_dir / "ACTIVE").unlink()
        until(lambda: "no model is active" in trouble(running))
        load.wait_for_answers(60)
        shutil.copytree(models_dir / published.first, own_models_dir / published.first)
        (own_models_dir / "ACTIVE").write_text(published.first + "\n")
        until(lambda: trouble(running) == "")
    assert load.refused == []
    assert load.broken == 0
    assert {answer.model_version for answer in load.answers} == {published.first}
    assert load.reckoned(store, models_dir).faults == []


def test_a_read_only_folder_of_models_serves_and_refuses_a_change(
    store: str, disk: SmallDisk, models_dir: Path, published: Published
) -> None:
    folder = Path(shutil.copytree(models_dir, disk.path / "models"))
    disk.forbid_writing()
    with server(database_url=store, models_dir=folder) as running, Load(running.port) as load:
        load.wait_for_answers(60)
        refused = httpx.post(f"{running.url}/models/{published.second}/activate", timeout=BOUND)
        assert refused.status_code == 503
        assert "Read-only file system" in refused.json()["detail"]
        disk.allow_writing()
        assert httpx.post(f"{running.url}/models/{published.second}/activate", timeout=BOUND).status_code == 200
        until(lambda: load.answers[-1].model_version == published.second)
    assert load.refused == []
    assert load.broken == 0
    assert load.reckoned(store, folder).faults == []
