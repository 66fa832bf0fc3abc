"""The figures at /metrics, of a service with several processes."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from time import sleep
from urllib.parse import urlsplit

import psutil
import requests
from prometheus_client.parser import text_string_to_metric_families

from session_api import create_app, metrics
from session_api.db import Database
from session_api.store import schema

from .conftest import AGENT, HELLO, ROOT, environment, free_port, make_settings, new_id, wait_until_ready
from .test_pool import cut

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


def test_what_prometheus_reads_names_every_family_and_every_series_once(live_url: str) -> None:
    requests.post(f"{live_url}/api/v1/sessions", json={"session_id": new_id()})
    families = list(text_string_to_metric_families(scrape(live_url)))
    series = [(sample.name, *sorted(sample.labels.items())) for family in families for sample in family.samples]

    assert {"session_api_created": "counter", "session_api_pool_connections": "gauge"}.items() <= {
        family.name: family.type for family in families
    }.items()
    assert len(families) == len({family.name for family in families})
    assert all(family.documentation and family.type != "unknown" for family in families)
    assert len(series) == len(set(series))


def in_flight(url: str) -> float:
    return value(scrape(url), "session_api_requests_in_flight")


def test_requests_in_flight_are_those_of_all_processes(live_url: str) -> None:
    """Each process notes them every second, and when it is asked; who asks is one of them."""
    begun = [socket.create_connection(urlsplit(live_url).netloc.split(":")) for _ in range(20)]
    for connection in begun:
        head = (
            b"POST /api/v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
        )
        connection.sendall(head)
    seen = until(lambda: in_flight(live_url) == 21)
    for connection in begun:
        connection.close()

    assert seen
    assert until(lambda: in_flight(live_url) == 1)


def until(happens: Callable[[], bool]) -> bool:
    for _ in range(1500):
        if happens():
            return True
        sleep(0.02)
    return False


def value(text: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_created_rows_are_counted_by_resource_and_conflicts_are_not(live_url: str) -> None:
    resources = ("session", "agent", "message", "multi_agent")
    series = {name: f'session_api_created_total{{resource="{name}"}}' for name in resources}
    before = scrape(live_url)
    url = f"{live_url}/api/v1/sessions"
    body = {"session_id": new_id()}
    for _ in range(2):
        requests.post(url, json=body)
    requests.post(f"{url}/{body['session_id']}/agents", json=AGENT)
    for number in range(5):
        requests.post(
            f"{url}/{body['session_id']}/agents/{AGENT['agent_id']}/messages", json={**HELLO, "message_id": number}
        )
    for _ in range(2):
        requests.post(f"{url}/{body['session_id']}/multi-agents", json={"multi_agent_id": "graph", "state": {}})
    after = scrape(live_url)

    assert {"session": 1, "agent": 1, "message": 5, "multi_agent": 1} == {
        name: value(after, line) - value(before, line) for name, line in series.items()
    }


def test_work_that_is_run_again_is_counted_by_what_was_wrong(db: Database) -> None:
    counted = metrics.RETRIES.labels("the connection broke")
    before = counted._value.get()
    lease = db.pool.take()
    cut(lease)
    db.pool.give(lease)

    db.read(schema.check)

    assert before + 1 == counted._value.get()


def test_the_pool_is_shown_as_it_is_and_waiting_for_it_is_counted(database_url: str) -> None:
    app = create_app(make_settings(database_url, database_pool_size=1, database_max_overflow=0))
    pool = app.extensions["session_api_database"].pool
    client = app.test_client()
    waits = "session_api_pool_wait_seconds_count"
    before = value(client.get("/metrics").text, waits)
    lease = pool.take()
    busy = client.get("/metrics").text

    def give_when_waited_for() -> None:
        if until(lambda: bool(pool._gate._waiting)):
            pool.give(lease)

    threading.Thread(target=give_when_waited_for).start()
    assert 200 == client.get("/api/v1/sessions").status_code
    after = client.get("/metrics").text
    pool.dispose()

    assert [(1.0, 0.0), (0.0, 1.0)] == [
        tuple(value(text, f'session_api_pool_connections{{state="{state}"}}') for state in ("in_use", "idle"))
        for text in (busy, after)
    ]
    assert before + 1 == value(after, waits)


def test_the_first_that_need_a_figure_at_once_are_all_answered_and_counted(database_url: str, tmp_path: Path) -> None:
    program = """
        import sys, threading
        from time import sleep
        from session_api import create_app, metrics
        from tests.conftest import make_settings

        def slowly(make):  # so that whoever comes second comes meanwhile
            return lambda *arguments, **names: sleep(0.2) or make(*arguments, **names)

        metrics.Gauge, metrics.Histogram = slowly(metrics.Gauge), slowly(metrics.Histogram)
        settings = make_settings(sys.argv[1], database_pool_size=2, database_max_overflow=0)
        create_app(settings)  # as `session-api serve` does before its workers share their figures
        metrics.share(sys.argv[2])
        app = create_app(settings)
        pool = app.extensions["session_api_database"].pool

        def ask(path):
            answer = app.test_client().get(path)
            counts = [line for line in answer.text.splitlines() if line.startswith("session_api_pool_wait_seconds_c")]
            print(f"{path} {answer.status_code} {counts}\\n", end="")

        def two(path):
            asking = [threading.Thread(target=ask, args=[path]) for _ in range(2)]
            for thread in asking:
                thread.start()
            return asking

        leases = [pool.take(), pool.take()]
        waiting = two("/api/v1/sessions")
        while len(pool._gate._waiting) < 2:
            sleep(0.01)
        for lease in leases:
            pool.give(lease)
        for thread in waiting:
            thread.join()
        for thread in two("/metrics"):
            thread.join()
    """
    command = [sys.executable, "-c", textwrap.dedent(program), database_url, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    answers = ["/api/v1/sessions 200 []"] * 2 + ["/metrics 200 ['session_api_pool_wait_seconds_count 2.0']"] * 2
    assert answers == sorted(done.stdout.splitlines()), done.stderr


def test_the_figures_of_a_worker_that_died_are_kept_and_its_gauges_dropped(database_url: str, tmp_path: Path) -> None:
    url, log = f"http://127.0.0.1:{(port := free_port())}", tmp_path / "log"
    with log.open("w") as output:
        gunicorn = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "wsgi:app"],
            cwd=ROOT,
            env=environment(API_PORT=str(port), API_WORKERS="2", DATABASE_URL=database_url, LOG_LEVEL="WARNING"),
            stdout=output,
        )
    wait_until_ready(url, gunicorn, log)
    for _ in range(30):
        requests.get(f"{url}/api/v1/sessions/{new_id()}")
    before = asked(scrape(url))
    victim = psutil.Process(gunicorn.pid).children()[0]
    victim.kill()
    while victim.is_running():  # the master has to see it first
        sleep(0.02)
    texts = [scrape(url) for _ in range(5)]
    in_time = until(lambda: in_flight(url) == 1)
    gunicorn.terminate()
    gunicorn.wait(30)

    assert 30 == before
    assert {before} == {asked(text) for text in texts}
    assert in_time
