"""Greenlets: while one waits for its client or for PostgreSQL, the others go on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from signal import SIGHUP, SIGKILL
from time import sleep

import gevent
import psutil
import pytest
import requests
from flask.testing import FlaskClient
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.unreader import SocketUnreader
from werkzeug.exceptions import RequestTimeout

from session_api import worker

from .conftest import AGENT, ROOT, environment, free_port, start_gunicorn, wait_until_ready
from .wire import request


def in_greenlets(program: str, *arguments: str) -> list[str]:
    """The lines that the program prints in a process of its own whose threads are greenlets."""
    patched = "from gevent import monkey\nmonkey.patch_all()\n" + textwrap.dedent(program)
    done = subprocess.run(
        [sys.executable, "-c", patched, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.splitlines()


# Another greenlet counts while the work is done that is given. That lasts for seconds: where a wait holds everybody,
# nobody counts at all, and a machine that stands still for a moment leaves time enough.
COUNTING = """
    import sys
    import gevent
    from sqlalchemy import text
    from session_api import addresses, db, deadline, errors
    from tests.conftest import make_settings
    from faults.proxy import Proxy, to_database

    ticks = 0

    def tick():
        global ticks
        while True:
            gevent.sleep(0.01)
            ticks += 1

    gevent.spawn(tick)
"""


def test_a_stalled_database_ends_at_the_deadline_and_holds_nobody_else(database_url: str) -> None:
    program = """
    db.REQUEST_SECONDS = 2.5
    proxy = Proxy(to_database(sys.argv[1]))
    database = db.Database(make_settings(proxy.url(sys.argv[1])))
    statement = lambda tx: tx.scalar(text("SELECT 42"))
    print(database.run(statement))
    proxy.stall()
    before = ticks
    try:
        database.run(statement)
    except errors.DatabaseUnavailable as error:
        print(error.details["applied"], ticks > before + 10)
    """

    assert ["42", "unknown True"] == in_greenlets(COUNTING + program, database_url)


def test_a_slow_statement_holds_nobody_else(database_url: str) -> None:
    program = """
    database = db.Database(make_settings(sys.argv[1]))
    database.run(lambda tx: tx.execute(text("SELECT pg_sleep(2.5)")))
    print(ticks > 10)
    """

    assert ["True"] == in_greenlets(COUNTING + program, database_url)


def test_a_host_name_is_looked_up_without_holding_anybody() -> None:
    program = """
    print("127.0.0.1" in addresses.addresses("localhost")["hostaddr"].split(","))
    print(addresses.addresses("/var/run"), addresses.addresses("192.0.2.1"), addresses.addresses(None))
    try:
        addresses.addresses("nowhere.invalid")
    except Exception as error:
        print(type(error).__name__)

    import socket
    socket.getaddrinfo = lambda *arguments, **names: gevent.sleep(60)
    with deadline.within(2.5):
        try:
            addresses.addresses("slow.example")
        except Exception as error:
            print(type(error).__name__, ticks > 10)
    """

    lines = in_greenlets(COUNTING + program)

    assert ["True", "{} {} {}", "OperationalError", "OperationalError True"] == lines


def test_a_body_that_does_not_arrive_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PEER_SECONDS", 0.05)

    class Trickle:
        failed = False

        def read(self, size: int) -> bytes:
            gevent.sleep(0.01)
            return b"x"

    stream = Trickle()
    body = worker._Body(stream)
    with pytest.raises(RequestTimeout):
        list(iter(lambda: body.read(1), b""))

    assert stream.failed  # so that gunicorn closes the connection


def test_a_body_of_which_nothing_arrives_is_given_up_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PEER_SECONDS", 0.05)
    ours, theirs = gevent.socket.socketpair()
    ours.settimeout(worker.PEER_SECONDS)
    stream = Body(LengthReader(SocketUnreader(ours), 2))
    with ours, theirs, pytest.raises(RequestTimeout):
        worker._Body(stream).read(2)

    assert stream.failed


# A machine that stands still for a moment must not use up the time that a worker goes on serving for.
LONGER = """
from session_api.serving import *
import session_api.worker as _worker

_worker.LINGER_SECONDS = 2.0
"""


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A service of the test's own: its port and its process."""
    port = free_port()
    log, settings = tmp_path / "log", tmp_path / "settings.py"
    settings.write_text(LONGER)
    variables = environment(DATABASE_URL=database_url, API_PORT=str(port), LOG_LEVEL="ERROR")
    process = start_gunicorn(log, {**variables, "GUNICORN_CMD_ARGS": f"--config={settings}"})
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        yield port, process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, SIGKILL)
        process.wait()


def ask(connection: HTTPConnection) -> HTTPResponse:
    connection.request("GET", "/health/live")
    answer = connection.getresponse()
    answer.read()
    return answer


def test_a_stop_does_not_wait_for_idle_connections_and_answers_on_them_once_more(service) -> None:
    port, process = service
    idle, used = HTTPConnection("127.0.0.1", port), HTTPConnection("127.0.0.1", port)
    for connection in (idle, used):
        ask(connection)

    process.terminate()
    answers = [ask(used)]
    while "close" != answers[-1].headers["Connection"]:
        answers.append(ask(used))

    assert {200} == {answer.status for answer in answers}
    assert 0 == process.wait(20)  # gunicorn's own worker would wait for the connection's 75 s
    assert b"" == idle.sock.recv(1)


def test_a_service_that_stops_says_so_and_goes_on_serving_for_a_while(service) -> None:
    port, process = service
    process.terminate()
    answer = requests.get(f"http://127.0.0.1:{port}/health/ready")
    while answer.ok:
        answer = requests.get(f"http://127.0.0.1:{port}/health/ready")

    sessions = requests.get(f"http://127.0.0.1:{port}/api/v1/sessions")

    assert (503, "it is about to stop") == (answer.status_code, answer.json()["checks"]["service"]["reason"])
    assert (200, "close") == (sessions.status_code, sessions.headers["Connection"])
    assert 0 == process.wait(20)


def test_a_service_that_reloads_stays_ready(service) -> None:
    port, process = service
    old = psutil.Process(process.pid).children()
    process.send_signal(SIGHUP)
    statuses = []
    while any(worker.is_running() for worker in old):
        statuses.append(requests.get(f"http://127.0.0.1:{port}/health/ready").status_code)

    assert {200} == set(statuses)
    assert len(statuses) > 20


@pytest.fixture
def hasty(database_url: str, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A service that gives its peers three seconds: its address, and its log of warnings."""
    port, log, settings = free_port(), tmp_path / "log", tmp_path / "settings.py"
    settings.write_text(
        "from session_api.serving import *\nfrom session_api import worker\nworker.PEER_SECONDS = 3.0\n"
    )
    variables = {"API_PORT": str(port), "API_WORKERS": "1", "GUNICORN_CMD_ARGS": f"--config {settings}"}
    process = start_gunicorn(log, environment(DATABASE_URL=database_url, LOG_LEVEL="WARNING", **variables))
    wait_until_ready(f"http://127.0.0.1:{port}", process, log)
    yield f"127.0.0.1:{port}", log
    process.terminate()
    process.wait(30)


def test_an_answer_that_is_not_read_is_one_warning_and_one_that_is_given_up_is_none(
    hasty: tuple[str, Path], client: FlaskClient, session_url: str
) -> None:
    address, log = hasty
    size = 15 * 1024 * 1024  # more than the sockets between hold
    client.post(f"{session_url}/agents", json={**AGENT, "state": {"x": "x" * size}})

    def begin(name: str) -> socket.socket:
        reader = socket.create_connection(address.split(":"))
        reader.sendall(request("GET", f"{session_url}/agents/{AGENT['agent_id']}", X_Request_ID=name))
        assert reader.recv(1000).startswith(b"HTTP/1.1 200")
        return reader

    begin("gone").close()
    with begin("slow") as slow:
        for _ in range(300):
            slow.recv(1)
            if log.read_text():
                break
            sleep(0.1)
        rest = 0
        with suppress(ConnectionResetError):
            while data := slow.recv(1024 * 1024):
                rest += len(data)

    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert rest < size  # the service has closed the connection
    assert {"level", "timestamp", "message", "request_id", "seconds"} == line.keys()
    assert ("warning", "answer not read in time", "slow", 3.0) == tuple(
        line[name] for name in ("level", "message", "request_id", "seconds")
    )
