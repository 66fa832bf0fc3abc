"""Prometheus figures of the requests, summed over all workers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from threading import Lock
from typing import TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, Metric, multiprocess, values
from prometheus_client.core import CounterMetricFamily

T = TypeVar("T")

_DURATION = "session_api_request_duration_seconds"
DURATION = Histogram(
    _DURATION,
    "Time to answer a request, by route rule, method and class of status",
    ["route", "method", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15),
)
UNAVAILABLE = Counter("session_api_database_unavailable_total", "Answers of 503, by reason", ["reason"])
RETRIES = Counter("session_api_database_retries_total", "Work that was run again, by reason", ["reason"])
POOL = Gauge("session_api_pool_connections", "Connections, by state", ["state"], multiprocess_mode="livesum")
_RESOURCES = {"sessions": "session", "agents": "agent", "messages": "message", "multi-agents": "multi_agent"}


def _once(make: Callable[[], T]) -> Callable[[], T]:
    """As functools.cache, which lets two threads that come at once make two; the second would be refused."""
    made, lock = cache(make), Lock()

    def the_one() -> T:
        with lock:
            return made()

    return the_one


# Made when they are needed, and not with the application: unlike labelled ones, they decide when they are made where
# their figures are kept, and `session-api serve` makes an application, for its migration, before that is settled.


@_once
def in_flight() -> Gauge:
    return Gauge("session_api_requests_in_flight", "Requests being answered", multiprocess_mode="livesum")


@_once
def pool_wait() -> Histogram:
    return Histogram(
        "session_api_pool_wait_seconds",
        "Time that requests waited for a connection, of those that had to wait",
        buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2),
    )


def share(directory: str) -> None:
    """Keep the figures in files there, where those of other processes are; to be called before a request is counted."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = directory
    # prometheus_client looks at the variable when it is imported, and gunicorn has the service imported by then.
    values.ValueClass = values.get_value_class()


class Figures:
    """The figures of all workers."""

    def collect(self) -> Iterator[Metric]:
        every = REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            every = CollectorRegistry()
            multiprocess.MultiProcessCollector(every)
        for family in every.collect():
            yield family
            if family.name == _DURATION:
                yield _created(family)


def _created(durations: Metric) -> Metric:
    """How many rows were created: as many as POSTs succeeded, so that no request counts them as well."""
    created = CounterMetricFamily("session_api_created", "Rows that were created, by resource", labels=["resource"])
    rows = dict.fromkeys(_RESOURCES, 0.0)
    for sample in durations.samples:
        collection = sample.labels["route"].rpartition("/")[2]
        answered = (sample.labels["method"], sample.labels["status"])
        if sample.name.endswith("_count") and answered == ("POST", "2xx") and collection in rows:
            rows[collection] += sample.value
    for collection, number in rows.items():
        created.add_metric([_RESOURCES[collection]], number)
    return created
