"""RATE_LIMIT, counted in real storages that several workers share, and what happens when those go away."""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
import requests
from flask.testing import FlaskClient
from limits.storage import MemoryStorage
from werkzeug.test import TestResponse

from session_api import create_app, rate

from .conftest import ROOT, bearer, environment, free_port, keyed, make_settings, new_key, wait_until_ready

PASSWORD = "canary-0f31"
SESSIONS = "/api/v1/sessions"


def program(name: str) -> str:
    """The path of a server that Debian has; CI must have it."""
    path = shutil.which(name)
    if path is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed; .ci/run installs it")
    if path is None:
        pytest.skip(f"needs {name}, which .ci/run installs (Debian: apt-get install {name})")
    return path


class Storage:
    """A server process that counts; it may be stopped, and started again on the same port."""

    def __init__(self, command: Callable[[int], list[str]], url: str) -> None:
        self.port = free_port()
        self.url = url.format(port=self.port)
        self._command = command(self.port)
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail(f"{self._command[0]} did not come up")

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)
        if number == signal.SIGKILL:
            self._process.wait()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Storage]:
    path = program("redis-server")
    storage = Storage(
        lambda port: [path, "--port", str(port), "--requirepass", PASSWORD, "--save", "", "--dir", str(tmp_path)],
        f"redis://:{PASSWORD}@127.0.0.1:{{port}}/0",
    )
    yield storage
    storage.stop()


@pytest.fixture
def redis_with_tls(tmp_path: Path) -> Iterator[Storage]:
    path, key, certificate = program("redis-server"), tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout {key} -out {certificate}"
    subject = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([program("openssl"), *made.split(), *subject], check=True, capture_output=True)
    tls = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no"]
    storage = Storage(
        lambda port: [path, "--port", "0", "--tls-port", str(port), *tls, "--save", "", "--dir", str(tmp_path)],
        f"rediss://127.0.0.1:{{port}}/0?ssl_ca_certs={certificate}",
    )
    yield storage
    storage.stop()


@pytest.fixture
def memcached() -> Iterator[Storage]:
    path = program("memcached")
    user = ["-u", "nobody"] if os.getuid() == 0 else []
    storage = Storage(lambda port: [path, "-l", "127.0.0.1", "-p", str(port), *user], "memcached://127.0.0.1:{port}")
    yield storage
    storage.stop()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage that stands still for a moment, as all do on a busy machine, is not taken for one that is away."""
    monkeypatch.setattr(rate, "STORAGE_SECONDS", 30.0)


@pytest.fixture
def limited(database_url: str) -> Callable[..., FlaskClient]:
    """A client of a service of one worker with a limit."""

    def make(rate_limit: str, url: str, **changes: object) -> FlaskClient:
        settings = make_settings(database_url, rate_limit=rate_limit, rate_limit_storage_url=url, **changes)
        return create_app(settings).test_client()

    return make


def first_refusal(client: FlaskClient) -> TestResponse:
    """Of a limit of one a second: two in a row may be a second apart, a hundred are not."""
    return next(answer for answer in (client.get(SESSIONS) for _ in range(100)) if answer.status_code != 200)


def statuses(client: FlaskClient, times: int, path: str = SESSIONS, **options: object) -> list[int]:
    return [client.get(path, **options).status_code for _ in range(times)]


# One count for all


@pytest.mark.parametrize("storage", ["redis_server", "redis_with_tls", "memcached"])
def test_workers_that_share_a_storage_count_together(
    request: pytest.FixtureRequest, limited: Callable[..., FlaskClient], patience: None, storage: str
) -> None:
    url = request.getfixturevalue(storage).url
    one, another = limited("5/minute", url), limited("5/minute", url)

    assert [200, 200, 200] == statuses(one, 3)
    assert [200, 200, 429] == statuses(another, 3)
    assert [429] == statuses(one, 1)


def test_two_processes_let_through_what_the_limit_says_and_not_one_more(
    database_url: str, redis_server: Storage, tmp_path: Path
) -> None:
    port, log = free_port(), tmp_path / "log"
    settings = {"DATABASE_URL": database_url, "API_PORT": str(port), "API_WORKERS": "2", "LOG_LEVEL": "DEBUG"}
    patient = f"{redis_server.url}?socket_timeout=30&socket_connect_timeout=30"
    settings |= {"RATE_LIMIT": "20/minute", "RATE_LIMIT_STORAGE_URL": patient}
    with log.open("w") as output:
        gunicorn = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "wsgi:app"],
            cwd=ROOT,
            env=environment(**settings),
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, gunicorn, log)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: requests.get(f"{url}{SESSIONS}", timeout=10), range(50)))
        free = [requests.get(f"{url}{path}", timeout=10) for path in ("/health/live", "/health/ready", "/metrics")]
        redis_server.send(signal.SIGKILL)
        after = [requests.get(f"{url}{SESSIONS}", timeout=10).status_code for _ in range(10)]
    finally:
        gunicorn.terminate()
        gunicorn.wait(30)

    assert {200: 20, 429: 30} == Counter(answer.status_code for answer in answers)
    assert [200, 200, 200] == [answer.status_code for answer in free]
    assert [200] * 10 == after
    assert 1 <= log.read_text().count("Rate limit storage unreachable") <= 2
    assert PASSWORD not in log.read_text()


# What a caller is told


def test_who_asks_too_often_is_told_when_to_come_back(limited: Callable[..., FlaskClient]) -> None:
    client = limited("100/minute;1/second", "memory://")

    refused = first_refusal(client)

    assert (429, "RateLimited", None) == (refused.status_code, refused.json["error"], refused.json["details"])
    assert ["error", "message", "details", "timestamp", "request_id"] == list(refused.json)
    assert refused.headers["X-Request-ID"] == refused.json["request_id"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 2


def test_after_the_time_that_was_told_the_caller_is_let_in(limited: Callable[..., FlaskClient]) -> None:
    client = limited("1/second", "memory://")
    refused = first_refusal(client)

    time.sleep(int(refused.headers["Retry-After"]))

    assert 200 == client.get(SESSIONS).status_code


def test_each_address_has_a_count_of_its_own_and_can_not_choose_another(limited: Callable[..., FlaskClient]) -> None:
    direct, behind = limited("1/minute", "memory://"), limited("1/minute", "memory://", proxy_count=1)

    def forwarded(client: FlaskClient, address: str) -> int:
        return client.get(SESSIONS, headers={"X-Forwarded-For": address}).status_code

    assert [200, 429] == [forwarded(direct, "203.0.113.1"), forwarded(direct, "203.0.113.2")]
    assert [200, 200] == [forwarded(behind, "203.0.113.1"), forwarded(behind, "203.0.113.2")]
    assert 429 == forwarded(behind, "6.6.6.6, 203.0.113.2")


def test_each_key_has_a_count_of_its_own_wherever_it_comes_from(database_url: str) -> None:
    app = create_app(keyed(database_url, rate_limit="2/minute", rate_limit_storage_url="memory://", proxy_count=1))
    client, one, another = app.test_client(), new_key(app), new_key(app)

    def asked(key: str, address: str) -> int:
        return client.get(SESSIONS, headers={**bearer(key), "X-Forwarded-For": address}).status_code

    assert [200, 200, 429] == [asked(one, f"203.0.113.{number}") for number in range(3)]
    assert [200, 401, 200, 429] == [asked(key, "203.0.113.0") for key in (another, "sk_none", another, another)]


def test_an_address_that_is_none_counts_as_well(
    limited: Callable[..., FlaskClient], memcached: Storage, patience: None
) -> None:
    client = limited("1/minute", memcached.url, proxy_count=1)
    headers = {"X-Forwarded-For": f"no address{'x' * 300}"}

    assert [200, 429] == statuses(client, 2, headers=headers)
    assert [200] == statuses(limited("1/minute", memcached.url), 1)


def test_routes_share_the_count_unknown_ones_as_well_and_probes_are_free(limited: Callable[..., FlaskClient]) -> None:
    client = limited("3/minute", "memory://")

    assert [200, 200, 200] == [client.get(path).status_code for path in ("/health", "/health/live", "/metrics")]
    assert [200, 404, 404, 429] == [
        client.get(path).status_code for path in (SESSIONS, f"{SESSIONS}/none", "/nowhere", "/nowhere")
    ]
    assert [200, 200] == [client.get(path).status_code for path in ("/health/db", "/metrics")]


def test_a_preflight_is_free(limited: Callable[..., FlaskClient]) -> None:
    client = limited("1/minute", "memory://", cors_origins=("https://app.example",))
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}

    assert [204, 204] == [client.options(SESSIONS, headers=headers).status_code for _ in range(2)]
    refused = [client.get(SESSIONS, headers=headers) for _ in range(2)][1]
    assert (429, "https://app.example") == (refused.status_code, refused.headers["Access-Control-Allow-Origin"])


# Without its storage


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["gone", "silent"])
def test_while_the_storage_is_away_requests_pass_and_the_log_says_so_once(
    limited: Callable[..., FlaskClient], redis_server: Storage, caplog: pytest.LogCaptureFixture, number: signal.Signals
) -> None:
    client = limited("50/minute", redis_server.url)
    logging.getLogger("flask-limiter").addHandler(caplog.handler)
    assert [200] == statuses(client, 1)

    redis_server.send(number)
    passed = statuses(client, 30)

    assert [200] * 30 == passed
    (line,) = [record for record in caplog.records if record.name == "flask-limiter"]
    assert ("WARNING", True) == (line.levelname, "storage unreachable" in line.getMessage())
    assert PASSWORD not in caplog.text


def test_when_the_storage_is_back_it_counts_again(limited: Callable[..., FlaskClient], redis_server: Storage) -> None:
    client = limited("1000/minute", redis_server.url)
    redis_server.send(signal.SIGKILL)
    assert [200, 200] == statuses(client, 2)

    redis_server.start()
    counted = redis.Redis.from_url(redis_server.url)
    for _ in range(100):
        statuses(client, 1)
        if counted.dbsize():
            break
        time.sleep(0.1)

    assert 1 == counted.dbsize()


def test_a_restart_between_two_requests_is_not_noticed(
    limited: Callable[..., FlaskClient], redis_server: Storage, caplog: pytest.LogCaptureFixture, patience: None
) -> None:
    client = limited("10/minute", redis_server.url)
    statuses(client, 1)
    logging.getLogger("flask-limiter").addHandler(caplog.handler)

    redis_server.stop()
    redis_server.start()

    assert [200] == statuses(client, 1)
    assert [] == [record for record in caplog.records if record.name == "flask-limiter"]


class Dying(MemoryStorage):
    """Counts, and then can't be asked how long it goes on counting."""

    STORAGE_SCHEME = ["dying"]

    def get_expiry(self, key: str) -> float:
        raise ConnectionError


def test_a_storage_that_dies_between_the_count_and_the_answer_fails_no_request(
    limited: Callable[..., FlaskClient],
) -> None:
    client = limited("1/minute", "dying://")

    refused = [client.get(SESSIONS) for _ in range(2)][1]

    assert (429, "60") == (refused.status_code, refused.headers["Retry-After"])


# Without a limit


def test_without_a_limit_no_request_is_counted_and_no_library_loaded(database_url: str) -> None:
    script = (
        "import sys, session_api\n"
        "app = session_api.create_app()\n"
        "print(len(app.before_request_funcs[None]), {'flask_limiter', 'limits', 'redis'} & {*sys.modules})"
    )

    def told(**settings: str) -> str:
        command = [sys.executable, "-c", script]
        variables = environment(DATABASE_URL=database_url, **settings)
        return subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=True).stdout

    without = told()
    limited = told(RATE_LIMIT="5/second", RATE_LIMIT_STORAGE_URL="redis://127.0.0.1:1")

    assert "set()" in without
    assert int(re.findall("[0-9]+", without)[0]) + 1 == int(re.findall("[0-9]+", limited)[0])
