"""The main job inside the project's own containers: train on a mounted file, assign over HTTP, find it stored."""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.containers.stack import COMPOSE, ROOT, SERVICE_IMAGE, TRAINING_IMAGE, Answer, Stack, has_engine, run

pytestmark = pytest.mark.containers

REAL = Path(os.environ.get("SEGMENTATION_DATA_DIR", ROOT / "../shared/data")) / "online_retail.csv.gz"
LARGEST_SERVICE_IMAGE = 700_000_000  # bytes, its base included
PURCHASES = [
    {"invoice_no": "900001", "stock_code": "22423", "quantity": 2, "invoice_date": "2011-10-02T10:00:00Z",
     "unit_price": 12.75, "country": "United Kingdom"},
    {"invoice_no": "900002", "stock_code": "85123A", "quantity": 6, "invoice_date": "2011-11-30T15:30:00Z",
     "unit_price": 2.55, "country": "United Kingdom"},
]  # fmt: skip
REQUEST = {"customer_id": "crm-17850", "transactions": PURCHASES, "as_of": "2011-12-10T00:00:00Z"}


@pytest.fixture(scope="module", autouse=True)
def _engine() -> None:
    if not has_engine():
        pytest.skip("no Docker engine answers; start one, or set DOCKER_HOST")


@pytest.fixture(scope="module")
def secrets_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make secrets` makes."""
    folder = tmp_path_factory.mktemp("containers") / "secrets"
    run(["make", "--no-print-directory", "secrets", f"SECRETS_DIR={folder}"])
    return folder


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real data where it is, else demo data; in a folder the containers' user may read."""
    folder = tmp_path_factory.mktemp("purchases")
    folder.chmod(0o755)
    path = folder / "purchases.csv.gz"
    if REAL.is_file():
        shutil.copyfile(REAL, path)
    else:
        run([sys.executable, "-m", "training", "demo", "--customers", "1500", "--out", str(path)])
    path.chmod(0o644)
    return path


@pytest.fixture(scope="module")
def untrained(secrets_dir: Path, purchases: Path) -> Iterator[Stack]:
    """Everything built and started, as on the first day: no model yet."""
    stack = Stack(secrets_dir, purchases)
    try:
        stack.compose("build")
        stack.compose("up", "--detach")
        stack.wait_for("/health/live", lambda answer: answer.status == 200, 60)
        yield stack
    finally:
        stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)


@pytest.fixture(scope="module")
def before_training(untrained: Stack) -> Answer:
    return untrained.get("/health/ready", untrained.key)


@pytest.fixture(scope="module")
def trained(untrained: Stack, before_training: Answer) -> Stack:
    """A model was trained in its container, and the service, still running, has picked it up."""
    started = untrained.state("api", "{{.State.StartedAt}}")
    untrained.compose("run", "--rm", "--no-TTY", "training", "fit", f"/data/in/{untrained.purchases.name}")
    untrained.wait_for("/health/ready", lambda answer: answer.status == 200, 30)
    assert untrained.state("api", "{{.State.StartedAt}}") == started
    return untrained


@pytest.fixture(scope="module")
def stored(trained: Stack) -> Any:
    """The answer to one request, which the tests below look for."""
    answer = trained.post("/segment", REQUEST, trained.key)
    assert answer.status == 200, answer
    return answer.body


def test_before_the_first_training_the_service_lives_and_says_that_it_has_no_model(before_training: Answer) -> None:
    assert before_training.status == 503
    assert "no model is active" in before_training.body["detail"]


def test_a_request_is_answered_with_segment_reasons_and_advice(stored: Any) -> None:
    assert stored["customer_id"] == "crm-17850"
    assert stored["segment"]["name"]
    assert stored["reasons"]
    assert stored["recommendation"]["action"]


def test_without_the_key_there_is_no_answer(trained: Stack) -> None:
    assert trained.post("/segment", REQUEST).status == 401
    assert trained.post("/segment", REQUEST, "x" * 64).status == 401


def test_the_answer_is_a_row_in_postgresql(trained: Stack, stored: Any) -> None:
    query = f"SELECT customer_id, segment_id, model_version FROM assignments WHERE id = '{stored['assignment_id']}'"
    assert trained.rows(query) == [["crm-17850", str(stored["segment"]["id"]), stored["model_version"]]]
    assert trained.rows("SELECT assignment_id FROM customers WHERE customer_id = 'crm-17850'") == [
        [stored["assignment_id"]]
    ]


def test_seconds_after_the_first_training_the_container_is_healthy(trained: Stack) -> None:
    trained.wait_until_healthy("api", 30)


def test_compose_waits_until_the_service_is_ready(trained: Stack) -> None:
    # Started anew: of a container that was unhealthy, compose believes so until the next check.
    trained.compose("stop", "api")
    trained.compose("up", "--detach", "--wait", "--wait-timeout", "60", "api")
    assert trained.state("api", "{{.State.Health.Status}}") == "healthy"


def test_a_killed_service_comes_back_with_everything_it_answered(trained: Stack, stored: Any) -> None:
    after = trained.post("/segment", REQUEST | {"customer_id": "crm-killed"}, trained.key).body
    run(["docker", "kill", "--signal", "KILL", trained.container("api")])
    trained.compose("up", "--detach", "--wait", "--wait-timeout", "60", "api")
    for answered in (stored, after):
        found = trained.get(f"/customers/{answered['customer_id']}", trained.key)
        assert found.status == 200
        assert found.body["assignment_id"] == answered["assignment_id"]
    assert trained.rows("SELECT count(*) FROM assignments WHERE customer_id = 'crm-killed'") == [["1"]]


def test_a_stop_signal_ends_the_service_in_good_order(trained: Stack) -> None:
    trained.compose("stop", "api")
    assert trained.state("api", "{{.State.ExitCode}}") in ("0", "143")
    trained.compose("up", "--detach", "--wait", "--wait-timeout", "60", "api")


def test_training_again_in_the_same_volume_is_served_without_a_restart(trained: Stack) -> None:
    first = trained.get("/health/ready", trained.key).body["model_version"]
    trained.compose(
        "run", "--rm", "--no-TTY", "training", "fit", f"/data/in/{trained.purchases.name}", "--segments", "3-4",
        "--as-of", "2012-01-01",
    )  # fmt: skip
    active = trained.inside("api", "cat", "/models/ACTIVE").strip()
    assert active != first
    trained.wait_for("/health/ready", lambda answer: answer.body.get("model_version") == active, 30, trained.key)
    assert trained.get("/models", trained.key).body["serving"] == active


def test_the_service_runs_as_nobody_and_cannot_write_to_its_image(trained: Stack) -> None:
    assert trained.inside("api", "id", "-u").strip() == "10001"
    assert "Read-only file system" in trained.inside("api", "touch", "/app/service/x", check=False)
    assert "Permission denied" in trained.inside("api", "cat", "/etc/shadow", check=False)
    status = dict(line.split(":", 1) for line in trained.inside("api", "cat", "/proc/1/status").splitlines())
    assert int(status["CapEff"], 16) == 0
    assert status["NoNewPrivs"].strip() == "1"


def test_the_migrations_ended_and_are_complete(trained: Stack) -> None:
    assert trained.state("migrate", "{{.State.ExitCode}}") == "0"
    assert "up to date" in trained.inside("api", "python", "-m", "service", "db", "pending")


@pytest.mark.parametrize("image", [SERVICE_IMAGE, TRAINING_IMAGE])
def test_an_image_holds_no_compiler_no_installer_and_no_cache(untrained: Stack, image: str) -> None:
    look = (
        "import importlib.util, json, pathlib, shutil; print(json.dumps(["
        "[name for name in ('gcc', 'cc', 'make', 'git') if shutil.which(name)],"
        "importlib.util.find_spec('pip') is not None, pathlib.Path('/root/.cache').exists()]))"
    )
    told = ["docker", "run", "--rm", "--network", "none", "--read-only", "--user", "0", "--entrypoint", "python"]
    assert json.loads(run([*told, image, "-c", look])) == [[], False, False]


@pytest.mark.parametrize("image", [SERVICE_IMAGE, TRAINING_IMAGE])
def test_an_image_holds_no_secret_and_only_the_code_it_runs(untrained: Stack, image: str) -> None:
    told = json.loads(run(["docker", "image", "inspect", "--format", "{{json .Config}}", image]))
    names = {one.partition("=")[0] for one in told["Env"]}
    assert not {name for name in names if re.search("KEY|PASSWORD|SECRET|TOKEN", name)} - {
        "GPG_KEY"
    }  # of Python's makers
    assert told["User"] == "10001:10001"
    assert told.get("Healthcheck", {"Test": ["CMD"]})["Test"][0] == "CMD"  # and not CMD-SHELL
    secret = (untrained.secrets_dir / "db_password").read_text()
    assert secret not in run(["docker", "history", "--no-trunc", image])
    look = (
        "import json, os, pathlib; print(json.dumps([sorted(os.listdir('/app')), os.listdir('/models'), "
        "os.listdir('/data'), "
        "[str(one) for one in pathlib.Path('/app').rglob('*') if one.suffix in ('.key', '.pem', '.env', '.sqlite3')]]))"
    )
    inside = ["docker", "run", "--rm", "--network", "none", "--read-only", "--entrypoint", "python", image, "-c", look]
    code, *others = json.loads(run(inside))
    assert code == ["models", "service"] + (["training"] if image == TRAINING_IMAGE else [])
    assert others == [[], [], []]


def test_a_container_is_held_to_its_bounds(trained: Stack) -> None:
    for name in ("api", "db"):
        form = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.RestartPolicy.Name}}"
        assert trained.state(name, form) == "1073741824 1000000000 unless-stopped"


def test_the_service_image_is_no_larger_than_stated(untrained: Stack) -> None:
    size = int(run(["docker", "image", "inspect", "--format", "{{.Size}}", SERVICE_IMAGE]))
    assert size < LARGEST_SERVICE_IMAGE, f"{size / 1e6:.0f} MB"


def test_the_service_without_a_key_refuses_to_start_and_says_so(untrained: Stack) -> None:
    said = run(["docker", "run", "--rm", "--network", "none", "--read-only", SERVICE_IMAGE], check=False)
    assert "SEGMENTATION_API_KEY" in said


def test_a_missing_secret_is_named(untrained: Stack, tmp_path: Path) -> None:
    bare = Stack(tmp_path, untrained.purchases)
    try:
        assert str(tmp_path / "db_password") in bare.compose("create", "db", check=False)
    finally:
        bare.compose("down", "--volumes", check=False)


def test_only_this_machine_reaches_the_service_and_no_password_stands_in_the_file() -> None:
    read = json.loads(run(["docker", "compose", "--file", str(COMPOSE), "config", "--format", "json"]))
    assert [port["host_ip"] for port in read["services"]["api"]["ports"]] == ["127.0.0.1"]
    assert all("ports" not in service for name, service in read["services"].items() if name != "api")
    variables = {name for service in read["services"].values() for name in service.get("environment") or {}}
    assert {name for name in variables if "PASSWORD" in name or "KEY" in name} == {
        "POSTGRES_PASSWORD_FILE", "SEGMENTATION_DATABASE_PASSWORD_FILE", "SEGMENTATION_API_KEY_FILE",
    }  # fmt: skip


def test_secrets_are_made_once_and_never_again(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = ["make", "--no-print-directory", "secrets", f"SECRETS_DIR={folder}"]
    run(make)
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert sorted(first) == ["api_key", "db_password"]
    assert all(len(text) == 64 for text in first.values())
    assert folder.stat().st_mode & 0o777 == 0o700
    run(make)
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
