"""GET /metrics: what is counted and measured, over all processes."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.key_scope import KeyScope, needs
from service.metrics.gauges import measure
from service.routes.responses import problems
from service.routes.route import Route
from service.state import Service, service_of

OPENMETRICS = "application/openmetrics-text"
_TEXTS: dict[str, Any] = {
    "text/plain": {"schema": {"type": "string", "description": "Prometheus' text form."}},
    OPENMETRICS: {"schema": {"type": "string", "description": "The same as OpenMetrics."}},
}

router = APIRouter(tags=["operations"], route_class=Route)


@router.get(
    "/metrics",
    summary="Metrics",
    response_class=Response,
    responses={HTTPStatus.OK: {"content": _TEXTS}, **problems()},
    openapi_extra=needs(KeyScope.READ),
)
async def metrics(request: Request) -> Response:
    """All metrics of all service processes, for Prometheus to read."""
    service, accept = service_of(request), ",".join(request.headers.getlist("accept"))
    return await service.apart.run(_metrics, service, accept)


def _metrics(service: Service, accept: str) -> Response:
    from service.metrics.exposition import expose  # the library is loaded where somebody asks

    measure(service)
    told = expose(service.board, accept)
    return Response(told.text, headers={"content-type": told.media_type})
