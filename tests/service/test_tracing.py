"""Spans of requests, sent to a collector."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pydantic import ValidationError

from service import settings as settings_module
from service.settings import Settings
from tests.service.requests import by_features
from tests.service.serving import NOW, serving, settings_for

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Collector:
    """What it was sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list[Span]:
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that takes everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector = Collector(f"http://127.0.0.1:{server.server_port}/v1/traces")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def attributes(span: Span) -> dict[str, str | int]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_every_request_is_a_span_of_its_senders_trace_and_tells_of_no_customer(
    sqlite_url: str, models_dir: Path
) -> None:
    with collecting() as collector:
        with serving(settings_for(sqlite_url, models_dir, otlp_endpoint=collector.url)) as client:
            sent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            answer = client.post("/segment", json=by_features("c0ffee"), headers=sent)
            assert client.get("/customers/c0ffee/nothing").status_code == 404
            assert client.get("/health/live", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"}).status_code == 200
        spans = {span.name: span for span in collector.spans}
        resource = collector.requests[0].resource_spans[0].resource
    assert len(spans) == len(collector.spans) == 2, "what its sender does not record is not recorded here"
    span = spans["POST /segment"]
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    assert answer.headers["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert 0 < span.end_time_unix_nano - span.start_time_unix_nano < 60e9
    assert span.end_time_unix_nano == int(NOW.timestamp() * 1e9)
    assert attributes(span) == {
        "http.request.method": "POST",
        "http.route": "/segment",
        "http.response.status_code": 200,
        "segmentation.request_id": answer.headers["x-request-id"],
        "segmentation.outcome": "answered",
    }
    assert "service.name" in {one.key for one in resource.attributes}
    assert "c0ffee" not in str(collector.spans)


def test_what_fails_is_a_span_with_an_error(sqlite_url: str, tmp_path: Path) -> None:
    with collecting() as collector:
        with serving(settings_for(sqlite_url, tmp_path, otlp_endpoint=collector.url)) as client:
            assert client.post("/segment", json=by_features()).status_code == 503
        (span,) = collector.spans
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert attributes(span)["http.response.status_code"] == 503


def test_without_a_collector_nothing_of_it_is_loaded() -> None:
    code = "import service.app, sys; print(*(name for name in sys.modules if name.startswith('opentelemetry.sdk')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_without_the_extra_a_collector_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "find_spec", lambda name: None)
    with pytest.raises(ValidationError, match=r"customer-segmentation-service\[tracing\]"):
        Settings(otlp_endpoint="http://127.0.0.1:4318/v1/traces")
