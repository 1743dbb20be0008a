"""A span of every request, for an OpenTelemetry collector. Imported only where that is configured."""

from collections.abc import Callable
from datetime import datetime

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.exchange import Exchange
from service.version import VERSION

EXPORT_SECONDS = 5.0
_CARRIED = (b"traceparent", b"tracestate")


class _GivenIds(RandomIdGenerator):
    """The id that the answer's `traceparent` has, where there is one."""

    given: int | None = None

    def generate_span_id(self) -> int:
        return super().generate_span_id() if self.given is None else self.given


class Tracing:
    """Told of each request when it is over; the spans are sent by a thread of their own, many at a time.

    A request that came with a `traceparent` is a part of that trace, and recorded where its sender's part is.
    """

    def __init__(self, exporter: SpanExporter, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._ids = _GivenIds()
        named = Resource.create({"service.name": "customer-segmentation-service", "service.version": VERSION})
        self._provider = TracerProvider(resource=named, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("segmentation", VERSION)
        self._propagator = TraceContextTextMapPropagator()

    def request(self, exchange: Exchange) -> None:
        """A request is over. Nothing that tells of a customer is in its span."""
        trace = exchange.correlation.trace
        self._ids.given = int(trace.span_id, 16) if trace else None
        ended = int(self._clock().timestamp() * 1e9)
        headers = exchange.scope["headers"] if trace else ()
        carried = {name.decode(): value.decode("latin-1") for name, value in headers if name in _CARRIED}
        span = self._tracer.start_span(
            f"{exchange.method} {exchange.route}",
            self._propagator.extract(carried),
            SpanKind.SERVER,
            {
                "http.request.method": exchange.method,
                "http.route": exchange.route,
                "segmentation.request_id": exchange.correlation.request_id,
                "segmentation.outcome": exchange.outcome,
            },
            start_time=ended - int(exchange.seconds * 1e9),
        )
        if exchange.status is not None:
            span.set_attribute("http.response.status_code", exchange.status)
            if exchange.status >= 500:
                span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    def close(self) -> None:
        """Sends what was not sent yet. Blocking."""
        self._provider.shutdown()


def to_collector(endpoint: str, clock: Callable[[], datetime]) -> Tracing:
    """Spans by OTLP over HTTP."""
    return Tracing(OTLPSpanExporter(endpoint, timeout=EXPORT_SECONDS), clock)
