"""Traces by OpenTelemetry, where the extra `otel` is installed and the environment says where they go."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import structlog
from flask import Flask

from . import call
from .errors import ConfigError
from .pool import Lease
from .version import __version__

# OpenTelemetry's own names; it reads them, and all others that begin with OTEL_, by itself.
_TARGETS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLASK = "opentelemetry.instrumentation.flask"
_UNTRACED = "/health/live,/health/ready,/metrics"


def asked() -> bool:
    """Whether traces are to be sent. Raises ConfigError when they can't be, since the extra is missing."""
    names = [name for name in _TARGETS if os.environ.get(name)]
    if names and not _is_installed(_FLASK):
        raise ConfigError({name: ["Needs the extra: pip install strands-session-api[otel]."] for name in names})
    return bool(names)


def start(app: Flask) -> None:
    """Trace every request, and the time that it holds a connection; to be called in the process that serves."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    os.environ.setdefault("OTEL_SERVICE_NAME", "session-api")
    provider = TracerProvider(resource=Resource.create({"service.version": __version__}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider, excluded_urls=_UNTRACED)

    @app.before_request
    def name_the_trace_in_the_log() -> None:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            call.current().trace_id = trace_id = trace.format_trace_id(context.trace_id)
            structlog.contextvars.bind_contextvars(trace_id=trace_id)

    app.extensions["session_api_database"].pool.watchers.append(_Spans(provider.get_tracer("session_api")))


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


class _Spans:
    """Of the time that a request holds a connection. No library's spans for psycopg2: they hold the text of errors, and
    PostgreSQL quotes rows in those.
    """

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer
        self._begun: dict[Lease, Any] = {}

    def taken(self, lease: Lease) -> None:
        from opentelemetry.trace import SpanKind

        attributes = {"db.system.name": "postgresql"}
        self._begun[lease] = self._tracer.start_span("postgresql", kind=SpanKind.CLIENT, attributes=attributes)

    def given(self, lease: Lease) -> None:
        self._begun.pop(lease).end()
