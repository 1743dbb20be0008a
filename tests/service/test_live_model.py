"""The model that answers: another one is picked up without a restart, and a bad one never takes its place."""

import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.affinity import ProductAffinities
from models.artifact import MANIFEST, PIPELINE, SCORER, read_artifact
from models.playbook import load_playbooks
from models.registry import ACTIVE, Registry
from tests.published import Published, trained
from tests.service import forgery
from tests.service.requests import by_features
from tests.service.serving import TestClient, serving, settings_for, until

KEY = "a key that signs models, of forty letters"
NO_PRODUCTS = ProductAffinities(
    customers=1, products=(), descriptions=(), buyers=(), repeat_buyers=(), recent=(), neighbours=(), support=(),
    scores=(), segments={},
).model_dump_json().encode()  # fmt: skip


@pytest.fixture
def own_client(sqlite_url: str, own_models_dir: Path) -> Iterator[TestClient]:
    """A client of a service whose registry the test may damage."""
    with serving(settings_for(sqlite_url, own_models_dir)) as client:
        yield client


def answering(client: TestClient) -> str:
    """The version that answers a customer now."""
    response = client.post("/segment", json=by_features())
    assert response.status_code == 200, response.text
    return str(response.json()["model_version"])


def refused(client: TestClient, version: str) -> str:
    """Why a version is not activated; what answered before goes on, and stays what ACTIVE names."""
    before = answering(client)
    response = client.post(f"/models/{version}/activate")
    assert response.status_code == 409, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:segmentation:problem:model-refused"
    assert answering(client) == before
    assert client.get("/models").json()["active"] == before
    return str(response.json()["detail"])


def test_a_newly_activated_model_is_picked_up_without_a_restart(
    store_url: str, own_models_dir: Path, published: Published
) -> None:
    with serving(settings_for(store_url, own_models_dir)) as client:
        assert answering(client) == published.first
        Registry(own_models_dir).activate(published.second)
        until(lambda: answering(client) == published.second)
        assert client.get("/models").json()["serving"] == published.second
        shown = client.get("/openapi.json").json()["paths"]["/segment"]["post"]["requestBody"]["content"]
        second = read_artifact(own_models_dir / published.second).manifest
        assert shown["application/json"]["examples"]["features"]["value"]["as_of"] == second.as_of.isoformat()


def test_activating_over_http_holds_at_once_and_for_all_processes(
    own_client: TestClient, own_models_dir: Path, published: Published
) -> None:
    response = own_client.post(f"/models/{published.second}/activate")
    assert (response.status_code, response.json()) == (200, {"active": published.second})
    assert answering(own_client) == published.second
    assert (own_models_dir / ACTIVE).read_text() == f"{published.second}\n"
    assert own_client.post(f"/models/{published.first}/activate").status_code == 200
    assert answering(own_client) == published.first


def test_requests_go_on_while_models_change(own_client: TestClient, published: Published) -> None:
    versions = [published.second, published.first] * 10
    with ThreadPoolExecutor() as pool:
        changes = [pool.submit(own_client.post, f"/models/{version}/activate") for version in versions]
        answers = [own_client.post("/segment", json=by_features()) for _ in range(100)]
    assert {one.result().status_code for one in changes} == {200}
    assert {one.status_code for one in answers} == {200}
    assert {one.json()["model_version"] for one in answers} <= {published.first, published.second}


@pytest.mark.parametrize("damage", forgery.DAMAGES)
def test_a_damaged_model_is_refused_and_the_old_one_goes_on(
    own_client: TestClient, own_models_dir: Path, published: Published, damage: str
) -> None:
    name, harm, sentence = forgery.DAMAGES[damage]
    harm(own_models_dir / published.second / name)
    said = refused(own_client, published.second)
    assert published.second in said
    assert sentence in said
    [listed] = [one for one in own_client.get("/models").json()["models"] if one["version"] == published.second]
    assert listed["problem"] == said
    assert own_client.get(f"/models/{published.second}").status_code == 409


@pytest.mark.parametrize(
    ("files", "changes", "sentence"),
    [
        ({SCORER: b"{}"}, {}, "scorer.json: features: Field required"),
        ({"segments.json": b"[]"}, {}, "its segments and its centres are not the same"),
        ({"playbooks.json": b"{}"}, {}, "its playbooks have no entry 'default'"),
        ({"playbooks.json": b'{"default": {"goal": ""}}'}, {}, "playbooks.json: default.goal: String should have"),
        ({"products.json": b"{}"}, {}, "products.json: customers: Field required"),
        ({"products.json": NO_PRODUCTS}, {}, "products.json is of other segments"),
        ({"reference.json": b'{"values": [["x"]], "segment_ids": [1]}'}, {}, "reference.json: values.0.0: Input"),
        ({"reference.json": b'{"values": [], "segment_ids": []}'}, {}, "reference.json has no customers"),
        ({"reference.json": b'{"values": [[1.0]], "segment_ids": [1]}'}, {}, "not the scorer's features"),
        ({"more.json": b"{}"}, {}, "does not list the files"),
        ({}, {"base": {}}, "a feature of the scorer is not in the manifest"),
    ],
)
def test_files_that_do_not_fit_together_are_refused(
    own_client: TestClient,
    own_models_dir: Path,
    published: Published,
    files: dict[str, bytes],
    changes: dict[str, Any],
    sentence: str,
) -> None:
    version = forgery.republished(own_models_dir, published.second, files, **changes)
    assert sentence in refused(own_client, version)


def test_a_model_of_another_scikit_learn_is_refused(
    own_client: TestClient, own_models_dir: Path, published: Published
) -> None:
    libraries = read_artifact(own_models_dir / published.second).manifest.libraries
    foreign = {**libraries, "scikit-learn": "0.24.2"}
    version = forgery.republished(own_models_dir, published.second, libraries=foreign)
    said = refused(own_client, version)
    assert f"model {version} was trained with scikit-learn 0.24.2, here is {libraries['scikit-learn']}" in said


@pytest.mark.parametrize("pickled", [forgery.forged_pickle, forgery.hidden_pickle])
def test_a_forged_pickle_is_refused_and_runs_nothing(
    own_client: TestClient,
    own_models_dir: Path,
    published: Published,
    tmp_path: Path,
    pickled: Callable[[str], bytes],
) -> None:
    trace = tmp_path / "trace"
    version = forgery.republished(own_models_dir, published.second, {PIPELINE: pickled(f"touch {trace}")})
    assert "pipeline.joblib is not a pipeline this software may load" in refused(own_client, version)
    assert not trace.exists()


def test_arrays_that_are_not_the_pipelines_are_refused(
    own_client: TestClient, own_models_dir: Path, published: Published
) -> None:
    version = forgery.other_pipeline(own_models_dir, published.second)
    assert "pipeline and arrays disagree on" in refused(own_client, version)


def test_a_model_under_another_name_is_refused(
    own_client: TestClient, own_models_dir: Path, published: Published
) -> None:
    renamed = "20111210-0123456789abcdef"
    shutil.copytree(own_models_dir / published.second, own_models_dir / renamed)
    assert f"model {renamed}: {MANIFEST} was changed after training" in refused(own_client, renamed)


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..",
        "..%2f..%2fmodels",
        "%2e%2e",
        "20111210-0123456789abcdef",
        "20111210-0123456789abcdeg",
        "ACTIVE",
        "x" * 5_000,
        "%00",
        "linked",
    ],
)
def test_a_name_that_is_no_published_version_is_unknown(
    own_client: TestClient, own_models_dir: Path, published: Published, name: str
) -> None:
    link = "20111210-aaaaaaaaaaaaaaaa"
    (own_models_dir / link).symlink_to(own_models_dir / published.second)
    version = link if name == "linked" else name
    for response in (own_client.get(f"/models/{version}"), own_client.post(f"/models/{version}/activate")):
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"
    assert answering(own_client) == published.first


def test_a_bad_model_made_active_by_hand_is_told_and_not_served(
    own_client: TestClient, own_models_dir: Path, published: Published
) -> None:
    forgery.truncate(own_models_dir / published.second / PIPELINE)
    Registry(own_models_dir).activate(published.second)
    until(lambda: own_client.get("/models").json()["trouble"] is not None)
    told = own_client.get("/models").json()
    assert (told["active"], told["serving"]) == (published.second, published.first)
    assert "it was cut short or replaced" in told["trouble"]
    assert own_client.get("/health/ready").json()["trouble"] == told["trouble"]
    assert answering(own_client) == published.first

    Registry(own_models_dir).activate(published.first)
    until(lambda: own_client.get("/models").json()["trouble"] is None)


@pytest.mark.parametrize("text", ["", "../..\n", "20111210-0123456789abcdef\n", "\udcff\udcfe"])
def test_an_active_file_that_names_no_model_is_told_and_the_old_model_goes_on(
    own_client: TestClient, own_models_dir: Path, published: Published, text: str
) -> None:
    (own_models_dir / ACTIVE).write_bytes(text.encode("utf-8", "surrogateescape"))
    until(lambda: own_client.get("/models").json()["trouble"] is not None)
    assert "there is no model" in own_client.get("/models").json()["trouble"]
    assert answering(own_client) == published.first


def test_a_model_made_active_while_it_is_still_being_copied_is_served_once_it_is_whole(
    own_client: TestClient, own_models_dir: Path, published: Published
) -> None:
    whole, copy = published.directory / published.second, own_models_dir / published.second
    shutil.rmtree(copy)
    (own_models_dir / ACTIVE).write_text(f"{published.second}\n")
    until(lambda: "there is no model" in str(own_client.get("/models").json()["trouble"]))
    copy.mkdir()
    shutil.copyfile(whole / MANIFEST, copy / MANIFEST)
    until(lambda: "cannot be read" in str(own_client.get("/models").json()["trouble"]))
    assert answering(own_client) == published.first
    for file in whole.iterdir():
        shutil.copyfile(file, copy / file.name)
    until(lambda: answering(own_client) == published.second)
    assert own_client.get("/models").json()["trouble"] is None


@pytest.mark.parametrize("moment", [datetime.max.replace(tzinfo=UTC), datetime(1000, 1, 1, tzinfo=UTC)])
def test_a_model_of_a_moment_that_cannot_be_is_refused_or_served_and_breaks_nothing(
    own_client: TestClient, own_models_dir: Path, published: Published, moment: datetime
) -> None:
    version = forgery.republished(own_models_dir, published.second, as_of=moment)
    assert own_client.post(f"/models/{version}/activate").status_code in (200, 409)
    assert own_client.get(f"/models/{version}").status_code in (200, 409)
    assert own_client.get("/models").status_code == 200


def test_a_service_without_a_model_starts_answering_once_there_is_one(
    sqlite_url: str, published: Published, tmp_path: Path
) -> None:
    directory = tmp_path / "later"
    with serving(settings_for(sqlite_url, directory)) as client:
        response = client.post("/segment", json=by_features())
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert "no model is active" in response.json()["detail"]
        assert client.get("/openapi.json").status_code == 200
        shutil.copytree(published.directory, directory)
        until(lambda: client.get("/health/ready").status_code == 200)
        assert answering(client) == published.first


def test_with_a_signing_key_an_unsigned_model_is_refused(
    sqlite_url: str, own_models_dir: Path, published: Published
) -> None:
    with serving(settings_for(sqlite_url, own_models_dir, signing_key=KEY)) as client:
        assert client.get("/health/ready").status_code == 503
        response = client.post(f"/models/{published.second}/activate")
        assert response.status_code == 409
        assert "is not signed, and a signing key is configured" in response.json()["detail"]
        assert client.post("/segment", json=by_features()).status_code == 503


def test_with_a_signing_key_only_models_it_signed_are_served(
    sqlite_url: str, published: Published, tmp_path: Path
) -> None:
    directory = tmp_path / "signed"
    version = trained(published.transactions, directory, KEY.encode())
    Registry(directory).activate(version)
    with serving(settings_for(sqlite_url, directory, signing_key=KEY)) as client:
        assert answering(client) == version
        assert client.get("/models").json()["models"][0]["problem"] is None
    with serving(settings_for(sqlite_url, directory, signing_key=KEY.upper())) as client:
        ready = client.get("/health/ready")
        assert ready.status_code == 503
        assert "the signature does not match the configured signing key" in ready.json()["detail"]
        [listed] = client.get("/models").json()["models"]
        assert "the signature does not match" in listed["problem"]


def test_playbooks_of_ones_own_stand_in_and_are_read_again_when_they_change(
    sqlite_url: str, models_dir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "playbooks.json"
    entry = {**load_playbooks()["default"].model_dump(), "goal": "ours"}
    path.write_text(_playbooks(entry))
    with serving(settings_for(sqlite_url, models_dir, playbooks=path)) as client:
        assert client.post("/segment", json=by_features()).json()["recommendation"]["goal"] == "ours"
        path.write_text(_playbooks({**entry, "goal": "theirs"}))
        until(lambda: client.post("/segment", json=by_features()).json()["recommendation"]["goal"] == "theirs")
        path.write_text("{")
        until(lambda: client.get("/models").json()["trouble"] is not None)
        assert client.post("/segment", json=by_features()).json()["recommendation"]["goal"] == "theirs"


def _playbooks(entry: dict[str, Any]) -> str:
    return json.dumps({"default": entry})
