"""The OpenAPI document of the running service: the active model's own request, with examples that can be sent."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from service.errors import NotReady
from service.forms.form import Form
from service.forms.json_body import SentTable
from service.key_scope import MEANS, OPEN, SCHEME
from service.links import add_links
from service.request import SegmentRequest
from service.served_model import ServedModel, examples

_STREAMS: dict[str, Any] = {
    Form.NDJSON: {"schema": {"type": "string", "description": "A request of POST /segment a line."}},
    Form.CSV: {
        "schema": {
            "type": "string",
            "description": "A header with `customer_id`, perhaps `as_of`, and features or the fields of transactions; "
            "then a row per customer, or consecutive rows of one customer.",
        }
    },
    Form.ARROW: {"schema": {"type": "string", "format": "binary", "description": "The same columns, typed."}},
}
REFUSALS = ("401", "403")  # what is never answered where no key is asked for
_REFERENCE = "#/components/schemas/{model}"


def install(app: FastAPI, current: Callable[[], ServedModel], guarded: Callable[[], bool]) -> None:
    """Serve /openapi.json for the model that answers now, and /docs from files of our own, no other site asked.

    `guarded` tells whether calls need a key, so that the page asks for it.
    """

    def document() -> dict[str, Any]:
        found = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        (_with_keys if guarded() else _without_keys)(found)
        add_links(found)
        try:
            served = current()
        except NotReady:
            return _with_requests(found, SegmentRequest, {})
        return _with_requests(found, served.request_type, dict(examples(served.model)))

    async def page() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=f"{app.title}: try it",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="data:,",
        )

    app.openapi = document  # type: ignore[method-assign]
    app.add_api_route("/docs", page, include_in_schema=False, openapi_extra=OPEN)
    app.mount("/docs/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")), name="docs-assets")


def _with_keys(document: dict[str, Any]) -> None:
    means = "".join(f"\n- `{scope}`: {says}" for scope, says in MEANS.items())
    says = f"`Authorization: Bearer <key>`. Each call names the scope that its key must have:{means}"
    document["components"]["securitySchemes"] = {SCHEME: {"type": "http", "scheme": "bearer", "description": says}}
    for call in _calls(document):
        scopes = [scope for one in call.get("security", ()) for scope in one[SCHEME]]
        if scopes:
            said = f"{call.get('description', '')}\n\nNeeds a key with the scope `{scopes[0]}`."
            call["description"] = said.strip()
        else:
            _never_refused(call)


def _without_keys(document: dict[str, Any]) -> None:
    for call in _calls(document):
        call.pop("security", None)
        _never_refused(call)


def _never_refused(call: dict[str, Any]) -> None:
    call["responses"] = {status: said for status, said in call["responses"].items() if status not in REFUSALS}


def _calls(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for calls in document["paths"].values() for call in calls.values()]


def _with_requests(document: dict[str, Any], request: type[SegmentRequest], shown: dict[str, Any]) -> dict[str, Any]:
    _, schema = models_json_schema([(request, "validation"), (SentTable, "validation")], ref_template=_REFERENCE)
    document["components"]["schemas"].update(schema["$defs"])
    one = {"$ref": _REFERENCE.format(model=request.__name__)}
    many = {"anyOf": [{"type": "array", "items": one}, {"$ref": _REFERENCE.format(model=SentTable.__name__)}]}
    batch = {name: {**example, "value": [example["value"]]} for name, example in shown.items()}
    for path, body, given, others in (("/segment", one, shown, {}), ("/segment/batch", many, batch, _STREAMS)):
        content: dict[str, Any] = {"schema": body}
        if given:
            content["examples"] = given
        document["paths"][path]["post"]["requestBody"] = {
            "required": True,
            "content": {Form.JSON: content, **others},
        }
    return document
