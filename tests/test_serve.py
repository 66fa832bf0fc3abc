"""`session-api serve` on its own PostgreSQL: real processes, stopped and killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from .conftest import AGENT, HELLO, KEYED, environment, free_port, wait_until_ready


class Service:
    """One data directory, served by one process at a time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self, **settings: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "session_api.cli", "serve"],
            cwd=self.directory,
            env=environment(SESSION_API_DATA_DIR=str(self.directory / "data"), API_PORT=str(self.port), **settings),
            stdout=self.log.open("a"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until_ready(self.url, self.process, self.log)

    def stop(self, number: signal.Signals) -> int:
        """End as a terminal would: Ctrl-C reaches the whole group, TERM the process alone."""
        (os.killpg if number == signal.SIGINT else os.kill)(self.process.pid, number)
        return self.process.wait(60)

    def postgres(self) -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter(["name", "cmdline"])
            if process.info["name"] == "postgres" and str(self.directory) in " ".join(process.info["cmdline"] or [])
        ]

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()


@pytest.fixture
def directory() -> Iterator[Path]:
    """Not pytest's tmp_path: as root, PostgreSQL runs as another user, and pytest closes its folder to others."""
    with tempfile.TemporaryDirectory(prefix="serve-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def service(directory: Path) -> Iterator[Service]:
    service = Service(directory)
    yield service
    if service.process.poll() is None:
        service.process.kill()
        service.process.wait()
    for process in service.postgres():
        process.kill()


def test_data_outlives_every_way_to_stop_and_nothing_is_left_running(service: Service) -> None:
    service.start()
    requests.post(f"{service.url}/api/v1/sessions", json={"session_id": "s"})
    requests.post(f"{service.url}/api/v1/sessions/s/agents", json=AGENT)
    messages = f"{service.url}/api/v1/sessions/s/agents/assistant/messages"
    for message_id, number in enumerate((signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGTERM)):
        made = requests.post(messages, json={**HELLO, "message_id": message_id})
        workers = service.workers()
        code = service.stop(number)
        psutil.wait_procs(workers, timeout=30)

        assert 201 == made.status_code
        assert (-9 if number == signal.SIGKILL else 0) == code
        assert (number == signal.SIGKILL) == bool(service.postgres())
        assert not [worker for worker in workers if worker.is_running()]
        service.start()

    assert [0, 1, 2, 3] == [message["message_id"] for message in requests.get(messages).json()["messages"]]
    assert 0 == service.stop(signal.SIGTERM)
    assert [] == service.postgres()


def test_it_says_in_plain_words_where_it_listens_and_where_the_data_lies(service: Service) -> None:
    service.start()

    output = service.log.read_text()
    assert f"Serving on {service.url}" in output
    assert f"The data lies in {service.directory / 'data'}" in output
    assert "pg_ctl" not in output
    assert "AUTH_MODE" not in output


def test_in_production_every_line_is_json(service: Service, database_url: str) -> None:
    service.start(ENVIRONMENT="production", DATABASE_URL=database_url, **KEYED)
    service.stop(signal.SIGTERM)

    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert {"level", "message", "timestamp"} <= set.intersection(*(set(line) for line in lines))


def test_whoever_lets_everybody_in_from_everywhere_is_warned_once(service: Service) -> None:
    service.start(API_HOST="0.0.0.0", LOG_LEVEL="WARNING")

    (warning,) = [line for line in service.log.read_text().splitlines() if "AUTH_MODE is none" in line]
    assert ("warning", f"AUTH_MODE is none: whoever reaches 0.0.0.0:{service.port} reads and writes everything.") == (
        json.loads(warning)["level"],
        json.loads(warning)["message"],
    )


def test_without_a_word_about_keys_nothing_starts(directory: Path) -> None:
    settings = {name: value for name, value in environment().items() if name != "AUTH_MODE"}
    refused = subprocess.run(
        [sys.executable, "-m", "session_api.cli", "serve"],
        cwd=directory,
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (1, "") == (refused.returncode, refused.stdout)
    assert "API_KEY_SECRET" in refused.stderr
    assert "Must be set" in refused.stderr


def test_a_second_one_on_the_same_port_ends_with_an_error(service: Service, directory: Path) -> None:
    service.start()
    ended = subprocess.run(
        [sys.executable, "-m", "session_api.cli", "serve"],
        cwd=directory,
        env=environment(SESSION_API_DATA_DIR=str(directory / "other"), API_PORT=str(service.port)),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert 0 != ended.returncode
    assert "Address already in use" in ended.stdout + ended.stderr
    assert requests.get(f"{service.url}/health/ready").ok
