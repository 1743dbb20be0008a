"""The OpenAPI document says what the service does: schemathesis asks everything it says can be asked, and more."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import schemathesis
from schemathesis.engine import events, from_schema
from schemathesis.python import asgi

from service.app import create_app
from tests.service.callers import sent
from tests.service.serving import NOW, settings_for

KEY = "0123456789abcdef0123456789abcdef"
EXAMPLES, EXAMPLES_WITH_KEY, JOURNEYS = 25, 8, 15  # times --fuzz
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
# Of each call by itself, and of several that follow from one another.
ALONE = {
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "positive_data_acceptance", "missing_required_header",
    "unsupported_method",
}  # fmt: skip
FOLLOWING = {"use_after_free", "ensure_resource_availability"}


class WithKey:
    """What schemathesis sends a key with, and leaves out to see whether it is asked for."""

    def get(self, case: Any, context: Any) -> str:
        return sent(KEY)["authorization"]

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers["Authorization"] = data


class Run:
    """What schemathesis did with the document of one application, and found wrong."""

    def __init__(self, api: Any) -> None:
        happened = list(from_schema(api).execute())
        self.errors = [one for one in happened if isinstance(one, events.NonFatalError | events.FatalError)]
        self.scenarios = [one for one in happened if isinstance(one, events.ScenarioFinished)]
        self.calls = {f"{method.upper()} {path}" for path, calls in api.raw_schema["paths"].items() for method in calls}

    @property
    def asked(self) -> set[str]:
        """The calls that were made."""
        recorders = [one.recorder for one in self.scenarios]
        return {case.value.operation.label for recorder in recorders for case in recorder.cases.values()}

    @property
    def linked(self) -> set[str]:
        """The calls that were made by following a link."""
        recorders = [one.recorder for one in self.scenarios]
        nodes = [node for recorder in recorders for node in recorder.cases.values()]
        return {node.value.operation.label for node in nodes if node.transition is not None}

    @property
    def checks(self) -> set[str]:
        return {check.name for one in self.scenarios for all in one.recorder.checks.values() for check in all}

    @property
    def wrong(self) -> list[tuple[str, str, str]]:
        """The call, the check, and how it can be seen again."""
        return [found for one in self.scenarios for found in _failures(one.recorder) if found[:2] not in BEYOND_SCHEMAS]


def _failures(recorder: Any) -> Iterator[tuple[str, str, str]]:
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is not None:
                case = recorder.cases[case_id].value
                said = f"{case.method} {case.formatted_path} {case.query} {case.headers} {str(case.body)[:300]}"
                yield case.operation.label, check.name, f"{check.failure_info.failure}\n{said}"


@contextmanager
def described(url: str, models_dir: Path, examples: int, **others: Any) -> Iterator[Any]:
    """The document, with the application it describes; models are activated too, in a registry of its own."""
    app = create_app(settings_for(url, models_dir, wrong_keys=1_000_000, **others), lambda: NOW)
    with patch("service.app.tune_process"):
        api = schemathesis.openapi.from_asgi("/openapi.json", app)
        api.config.generation.max_examples = examples
        api.config.generation.deterministic = True
        yield api
        asgi.shutdown_lifespans()


def one_by_one(api: Any) -> Run:
    api.config.phases.stateful.enabled = False
    return Run(api)


def along_links(api: Any) -> Run:
    api.config.phases.update(phases=["stateful"])
    return Run(api)


def test_a_parameter_that_no_call_documents_is_refused_as_documented(shared_url: str, own_models_dir: Path) -> None:
    with described(shared_url, own_models_dir, EXAMPLES) as api:
        for operation in (found.ok() for found in api.get_all_operations()):
            case = operation.Case(path_parameters={one.name: "1" for one in operation.path_parameters})
            for query in ({"dryrun": "true"}, {"supress": "true"}, {"limit ": "1"}, {"x": ""}, {"Cursor": "MQ"}):
                case.query = query
                response = case.call()
                assert response.status_code == 422, (operation.label, query)
                case.validate_response(response)


def test_every_call_does_what_is_documented_whatever_is_sent(shared_url: str, own_models_dir: Path, fuzz: int) -> None:
    with described(shared_url, own_models_dir, EXAMPLES * fuzz) as api:
        api.validate()
        run = one_by_one(api)
    assert run.errors == []
    assert run.asked == run.calls
    assert run.checks >= ALONE
    assert run.wrong == []


def test_with_keys_every_call_does_what_is_documented_too(shared_url: str, own_models_dir: Path, fuzz: int) -> None:
    with described(shared_url, own_models_dir, EXAMPLES_WITH_KEY * fuzz, api_key=KEY) as api:
        api.auth()(WithKey)
        run = one_by_one(api)
    assert run.errors == []
    assert run.asked == run.calls
    assert run.checks >= {*ALONE, "ignored_auth"}
    assert run.wrong == []


@pytest.mark.parametrize("key", [None, KEY])
def test_what_an_answer_leads_to_does_what_is_documented(
    shared_url: str, own_models_dir: Path, fuzz: int, key: str | None
) -> None:
    with described(shared_url, own_models_dir, JOURNEYS * fuzz, api_key=key) as api:
        if key:
            api.auth()(WithKey)
        run = along_links(api)
    assert run.errors == []
    assert run.linked >= {"GET /segments/{segment_id}", "GET /models/{version}"}
    assert run.checks >= FOLLOWING
    assert run.wrong == []
