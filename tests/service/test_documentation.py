"""The OpenAPI document is of the active model, with examples and links that work, and the page needs no other site."""

from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from models.features import FEATURE
from models.model import SegmentationModel
from tests.service.requests import by_features
from tests.service.serving import TestClient, serving, settings_for

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def document(shared_client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = shared_client.get("/openapi.json").json()
    return found


def test_an_answer_links_to_the_calls_that_take_what_it_holds(
    shared_client: TestClient, document: dict[str, Any]
) -> None:
    answer = shared_client.post("/segment", json=by_features("linked")).json()
    operations = {call["operationId"]: path for path, calls in document["paths"].items() for call in calls.values()}
    links = document["paths"]["/segment"]["post"]["responses"]["200"]["links"]
    assert {"customer", "history", "advice", "export", "erasure", "segment", "audience", "model"} <= links.keys()
    for name, link in links.items():
        [(parameter, found_in)] = link["parameters"].items()
        value = reduce(lambda inside, step: inside[step], found_in.split("#/")[1].split("/"), answer)
        if name not in ("erasure", "activation"):
            path = operations[link["operationId"]].replace(f"{{{parameter}}}", str(value))
            assert shared_client.get(path).status_code == 200


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
