"""The figures at /metrics, of a service with several processes."""

from __future__ import annotations

import re

import requests

from .conftest import new_id

SERIES = 'session_api_request_duration_seconds_count{method="GET",route="/api/v1/sessions/{session_id}",status="4xx"}'
ASKED = re.compile(rf"^{re.escape(SERIES)} (\S+)$", re.MULTILINE)


def scrape(url: str) -> str:
    """By a connection of its own, so that any of the processes may answer."""
    return requests.get(f"{url}/metrics").text


def asked(text: str) -> float:
    return sum(float(value) for value in ASKED.findall(text))


def test_the_figures_of_all_processes_are_one(live_url: str) -> None:
    before = asked(scrape(live_url))
    for _ in range(30):
        requests.get(f"{live_url}/api/v1/sessions/{new_id()}")
    after = [scrape(live_url) for _ in range(10)]

    assert [before + 30] * 10 == [asked(text) for text in after]
    # The request that asks is one of them.
    assert {"1.0"} == {re.search(r"^session_api_requests_in_flight (\S+)$", text, re.MULTILINE)[1] for text in after}
