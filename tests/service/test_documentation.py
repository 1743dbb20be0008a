"""The OpenAPI document says what the service does: schemathesis asks everything it says can be asked, and more."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.python import asgi

from models.features import FEATURE
from models.model import SegmentationModel
from service.app import create_app
from tests.service.callers import sent
from tests.service.serving import NOW, TestClient, serving, settings_for

KEY = "0123456789abcdef0123456789abcdef"
# What a schema cannot say: that a time has come, that lines hold a purchase, that an id can be printed, that a
# cursor was given out, that a table's columns are the model's; and that a bad item fails alone in a batch that is
# answered with 200.
BEYOND_SCHEMAS = {
    ("POST /segment", "positive_data_acceptance"),
    ("GET /segments/{segment_id}/customers", "positive_data_acceptance"),
    ("GET /customers/{id}", "positive_data_acceptance"),
    ("DELETE /customers/{id}", "positive_data_acceptance"),
    ("GET /customers/{id}/export", "positive_data_acceptance"),
    ("GET /customers/{id}/history", "positive_data_acceptance"),
    ("GET /customers/{id}/recommendations", "positive_data_acceptance"),
    ("POST /segment/batch", "positive_data_acceptance"),
    ("POST /segment/batch", "negative_data_rejection"),
}


@pytest.fixture(scope="module")
def document(shared_client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = shared_client.get("/openapi.json").json()
    return found


@pytest.fixture
def api(shared_url: str, own_models_dir: Path) -> Iterator[Any]:
    """The document, with the application it describes; models are activated too, in a registry of its own."""
    app = create_app(settings_for(shared_url, own_models_dir), lambda: NOW)
    with patch("service.app._tune_interpreter"):
        yield schemathesis.openapi.from_asgi("/openapi.json", app)
        asgi.shutdown_lifespans()


def failures(scenario: Any) -> Iterator[tuple[str, str, str]]:
    """What went wrong in a scenario: the call, the check, and how it can be seen again."""
    for case_id, checks in scenario.recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                case = scenario.recorder.cases[case_id].value
                sent = f"{case.method} {case.formatted_path} {case.query} {str(case.body)[:300]}"
                yield scenario.recorder.label, check.name, f"{check.failure_info.failure}\n{sent}"


def test_every_call_does_what_is_documented_whatever_is_sent(api: Any, document: dict[str, Any]) -> None:
    api.config.generation.max_examples = 40
    api.config.generation.deterministic = True
    api.config.phases.stateful.enabled = False
    happened = list(from_schema(api).execute())
    assert [event for event in happened if isinstance(event, events.NonFatalError | events.FatalError)] == []
    scenarios = [event for event in happened if isinstance(event, events.ScenarioFinished)]
    calls = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert {scenario.recorder.label for scenario in scenarios if scenario.recorder.cases} == calls
    wrong = [one for scenario in scenarios for one in failures(scenario) if one[:2] not in BEYOND_SCHEMAS]
    assert wrong == []


class WithKey:
    """What schemathesis sends a key with, and leaves out to see whether it is asked for."""

    def get(self, case: Any, context: Any) -> str:
        return sent(KEY)["authorization"]

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["Authorization"] = data


def test_with_keys_every_call_does_what_is_documented_too(shared_url: str, own_models_dir: Path) -> None:
    settings = settings_for(shared_url, own_models_dir, api_key=KEY, wrong_keys=1_000_000)
    app = create_app(settings, lambda: NOW)
    with patch("service.app._tune_interpreter"):
        api = schemathesis.openapi.from_asgi("/openapi.json", app)
        api.auth()(WithKey)
        api.config.generation.max_examples = 10
        api.config.generation.deterministic = True
        api.config.phases.stateful.enabled = False
        happened = list(from_schema(api).execute())
        asgi.shutdown_lifespans()
    scenarios = [event for event in happened if isinstance(event, events.ScenarioFinished)]
    checks = {check.name for one in scenarios for all in one.recorder.checks.values() for check in all}
    assert "ignored_auth" in checks
    wrong = [one for scenario in scenarios for one in failures(scenario) if one[:2] not in BEYOND_SCHEMAS]
    assert wrong == []


def test_the_document_is_valid_openapi(api: Any) -> None:
    api.validate()


@pytest.mark.parametrize("path", ["/segment", "/segment/batch"])
def test_the_examples_can_be_posted_as_they_are(shared_client: TestClient, document: dict[str, Any], path: str) -> None:
    examples = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == {"features", "transactions"}
    for example in examples.values():
        response = shared_client.post(path, json=example["value"])
        assert response.status_code == 200
        if path == "/segment/batch":
            assert response.json()["failed"] == 0


def test_the_request_is_the_active_models(document: dict[str, Any], model: SegmentationModel) -> None:
    features = document["components"]["schemas"]["Features"]
    assert set(features["required"]) == set(model.features)
    assert set(features["properties"]) == {*model.described_by, "main_country"}
    assert features["additionalProperties"] is False
    for name in model.features:
        assert features["properties"][name]["minimum"] == FEATURE[name].low
        assert features["properties"][name]["maximum"] == FEATURE[name].high
        assert FEATURE[name].unit in features["properties"][name]["description"]


def test_every_call_says_which_problems_it_can_answer(document: dict[str, Any]) -> None:
    for path, calls in document["paths"].items():
        for call in calls.values():
            assert call["summary"]
            for status, response in call["responses"].items():
                if not status.startswith("2"):
                    content = response["content"]
                    assert list(content) == ["application/problem+json"], (path, status)


def test_the_page_asks_no_other_site(shared_client: TestClient) -> None:
    page = shared_client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/docs/assets/{asset}" in page.text
        assert shared_client.get(f"/docs/assets/{asset}").status_code == 200


def test_with_a_key_the_document_says_which_calls_need_it(shared_url: str, models_dir: Path) -> None:
    with serving(settings_for(shared_url, models_dir, api_key=KEY)) as client:
        found = client.get("/openapi.json").json()
    assert found["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    calls = {f"{method} {path}": call for path, calls in found["paths"].items() for method, call in calls.items()}
    assert [name for name, call in calls.items() if not call["security"]] == ["get /health/live", "get /health/ready"]
    assert calls["post /segment"]["security"] == [{"key": ["score"]}]
    assert calls["get /customers/{id}"]["security"] == [{"key": ["read"]}]
    assert calls["post /models/{version}/activate"]["security"] == [{"key": ["admin"]}]
    for call in calls.values():
        assert ({"401", "403"} <= set(call["responses"])) == bool(call["security"])
        assert all(f"the scope `{scope}`" in call["description"] for one in call["security"] for scope in one["key"])


def test_without_a_key_the_document_asks_for_none(document: dict[str, Any]) -> None:
    assert "securitySchemes" not in document["components"]
    for calls in document["paths"].values():
        for call in calls.values():
            assert "security" not in call
            assert not {"401", "403"} & set(call["responses"])


def test_without_a_model_the_document_describes_what_every_model_takes(shared_url: str, tmp_path: Path) -> None:
    with serving(settings_for(shared_url, tmp_path / "none")) as client:
        found = client.get("/openapi.json").json()
    assert "/segment" in found["paths"]
    assert "examples" not in found["paths"]["/segment"]["post"]["requestBody"]["content"]["application/json"]
