"""`up --local`: the real service with its own PostgreSQL, started, looked at, stopped and killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from strands_session_client.cli import scaffold
from tests.conftest import free_port, new_id

from .conftest import COMMAND, Cli
from .processes import Api


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A project, not in pytest's own folder: as root, PostgreSQL runs as another user, who could not enter that."""
    with tempfile.TemporaryDirectory(prefix="local-", ignore_cleanup_errors=True) as name:
        scaffold.create("my-agent", "postgresql", "An agent", Path(name))
        directory = Path(name) / "my-agent"
        yield directory
        for process in _of(directory):
            process.kill()


def _of(directory: Path) -> list[psutil.Process]:
    """The processes that work in the project."""
    found = []
    for process in psutil.process_iter(["cwd", "cmdline"]):
        words = " ".join([process.info["cwd"] or "", *(process.info["cmdline"] or [])])
        if str(directory) in words and process.pid != os.getpid():
            found.append(process)
    return found


@pytest.fixture(scope="module")
def own_port() -> str:
    return str(free_port())


@pytest.fixture
def run(place: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command in the project."""
    monkeypatch.chdir(place)
    return cli


@pytest.fixture
def up(run: Cli, own_port: str) -> str:
    """The URL of the backend, which `up --local --detach` started, now or for a test before."""
    run.ok("up", "--local", "--detach", "--port", own_port)
    return f"http://127.0.0.1:{own_port}"


@pytest.fixture
def not_up(run: Cli) -> None:
    """Nothing runs."""
    run.ok("down")


def test_it_serves_until_down_and_keeps_the_data(place, up, run):
    session_id = new_id()
    agent = Api(place, [sys.executable, "-m", "api.app"], {})  # its .env has the address
    told = agent.say(session_id, "My favourite colour is teal.")
    checked, status = run("check"), run("status")
    stopped = run("down")
    left = [process.name() for process in _of(place) if process.pid != agent.process.pid]
    unready = requests.get(f"{agent.url}/health/ready").status_code
    again = run("up", "--local", "--detach", "--port", up.rpartition(":")[2])
    asked = agent.say(session_id, "What is my favourite colour?")
    agent.kill()

    assert "I will remember that." == told
    assert (0, ["ok"] * 4) == (checked.exit_code, [line.split()[1] for line in checked.stdout.splitlines()])
    assert (0, f"process     ok       {up}") == (status.exit_code, status.stdout.splitlines()[0])
    assert (0, "Stopped; the data stays.\n", []) == (stopped.exit_code, stopped.stdout, left)
    assert 503 == unready
    assert 0 == again.exit_code, again.stderr
    assert "Your favourite colour is teal." == asked


def test_another_up_leaves_the_one_that_runs_alone(place, up, run):
    before = (place / "session_backend/local/service.json").read_text()

    again = run("up", "--local", "--detach", "--port", str(free_port()))

    assert (0, f"The session backend runs already on {up}.\n") == (again.exit_code, again.stdout)
    assert before == (place / "session_backend/local/service.json").read_text()


def test_a_killed_service_is_seen_to_be_gone_and_can_be_started_again(place, up, run):
    requests.post(f"{up}/api/v1/sessions", json={"session_id": "kept"})
    master = json.loads((place / "session_backend/local/service.json").read_text())["pid"]
    workers = psutil.Process(master).children()
    os.kill(master, signal.SIGKILL)
    psutil.wait_procs(workers, timeout=30)

    status, stopped = run("status"), run("down")
    again = run("up", "--local", "--detach", "--port", up.rpartition(":")[2])

    assert (1, "not running") == (status.exit_code, status.stdout.splitlines()[0].partition("- ")[2].strip())
    assert "Nothing of my-agent runs.\n" == stopped.stdout
    assert 0 == again.exit_code, again.stderr
    assert 200 == requests.get(f"{up}/api/v1/sessions/kept").status_code


def test_logs_are_printed(place, up, run):
    requests.get(f"{up}/api/v1/sessions", headers={"X-Request-ID": "look-for-me"})

    assert "look-for-me" in run("logs").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_it_prints_the_log_and_stops_with_its_command(place, not_up, number):
    port = free_port()
    command = [*COMMAND, "up", "--local", "--port", str(port)]
    running = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True)
    for line in running.stdout:
        if "Ctrl-C stops it." in line:
            break
    requests.get(f"http://127.0.0.1:{port}/api/v1/sessions", headers={"X-Request-ID": "look-for-me"})
    for line in running.stdout:
        if "look-for-me" in line:
            break
    running.send_signal(number)
    running.stdout.read()

    assert 0 == running.wait(60)
    assert [] == [process.name() for process in _of(place)]


def test_a_port_that_is_taken_is_told(not_up, run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = run("up", "--local", "--detach", "--port", str(port))

    assert 1 == refused.exit_code
    assert f"Port {port} is taken" in refused.stderr
    assert "--port" in refused.stderr


def test_a_service_that_cannot_start_says_why_and_nothing_is_left(here, cli, monkeypatch, port):
    cli.ok("init", "my-agent")
    monkeypatch.chdir(here / "my-agent")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")

    result = cli("up", "--local", "--detach", "--port", str(port))

    assert 1 == result.exit_code
    assert "The service did not start:" in result.stderr
    assert "LOG_LEVEL" in result.stderr
    assert 1 == cli("status").exit_code
    assert not (here / "my-agent/.env").exists()


def test_a_service_that_is_not_installed_is_told(project, cli, no_docker, monkeypatch, tmp_path):
    # The command looks beside the interpreter that runs it, and on PATH.
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))

    result = cli("up", "--local")

    assert 1 == result.exit_code
    assert "pip install 'strands-session-api[embedded]'" in result.stderr
