"""Prometheus figures of the requests, summed over all workers."""

from __future__ import annotations

import os
from functools import cache

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)

blp = Blueprint("metrics", __name__)

DURATION = Histogram(
    "session_api_request_duration_seconds",
    "Time to answer a request, by route rule, method and class of status",
    ["route", "method", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
UNAVAILABLE = Counter("session_api_database_unavailable_total", "Answers of 503, by reason", ["reason"])


@cache
def in_flight() -> Gauge:
    """Made when it is needed: unlike a labelled one, it decides when it is made where its figure is kept."""
    return Gauge("session_api_requests_in_flight", "Requests being answered", multiprocess_mode="livesum")


def share(directory: str) -> None:
    """Keep the figures in files there, where those of other processes are; to be called before a request is counted."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    # prometheus_client looks at the variable when it is imported, and gunicorn has the service imported by then.
    values.ValueClass = values.get_value_class()


@blp.route("/metrics")
def metrics() -> Response:
    return Response(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return registry
