"""Traces as they reach a collector: one for each request, part of the caller's, and without a word of what was said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from session_api import tracing
from session_api.errors import ConfigError

from .conftest import AGENT, _gunicorn, new_id

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SECRET = "canary-of-a-message"


class Collector(ThreadingHTTPServer):
    """Takes what is sent to /v1/traces and keeps it as it came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.bodies: list[bytes] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list:
        requests_ = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span for it in requests_ for of in it.resource_spans for scope in of.scope_spans for span in scope.spans
        ]


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.shutdown()
    collector.server_close()


def test_a_request_is_a_span_of_the_caller_s_trace_and_tells_nothing_that_was_said(
    collector: Collector, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = tmp_path_factory.mktemp("traced") / "log"
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_EXPORTER_OTLP_COMPRESSION": "none"}
    with _gunicorn(log, DATABASE_URL=database_url, **settings) as url:
        session = f"{url}/api/v1/sessions"
        session_id = new_id()
        requests.post(session, json={"session_id": session_id})
        requests.post(f"{session}/{session_id}/agents", json=AGENT)
        traced = requests.post(
            f"{session}/{session_id}/agents/assistant/messages",
            json={"message_id": 0, "message": {"role": "user", "content": [{"text": SECRET}]}},
            headers={"traceparent": f"00-{TRACE}-{CALLER}-01"},
        )
        requests.get(f"{url}/health/ready")
    # The service has ended, and has sent what it had.
    spans = {span.span_id.hex(): span for span in collector.spans() if span.trace_id.hex() == TRACE}
    (server,) = [span for span in spans.values() if span.parent_span_id.hex() == CALLER]
    held = [span for span in spans.values() if span.parent_span_id == server.span_id]

    assert 201 == traced.status_code
    assert server.name.startswith("POST /api/v1/sessions/<")
    assert ["postgresql"] == [span.name for span in held]
    assert not [body for body in collector.bodies if SECRET.encode() in body]
    assert not [span for span in collector.spans() if "/health" in span.name]
    assert all(b"session-api" in body for body in collector.bodies)


def test_without_a_collector_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tracing._TARGETS:
        monkeypatch.delenv(name, raising=False)

    assert not tracing.asked()


def test_without_the_extra_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setattr(tracing, "_FLASK", "opentelemetry.instrumentation.not_installed")

    with pytest.raises(ConfigError, match=r"OTEL_EXPORTER_OTLP_ENDPOINT: .*strands-session-api\[otel\]"):
        tracing.asked()
