"""`up`, `down`, `status`, `logs` and `build` with Docker: how it is called, and what is said when it can't be."""

from __future__ import annotations

import os
import socket
import stat
import subprocess

import pytest

from strands_session_client.cli import env_files
from tests.client.conftest import serve, steps  # noqa: F401
from tests.conftest import KEYED

from .conftest import KEY


@pytest.fixture
def backend(project, port):
    """The project, its backend on a port that is free."""
    env_files.keep(project / "session_backend/.env", {"API_PORT": str(port)})
    return project


def test_up_starts_the_backend_and_gives_the_agent_its_address_and_a_key(backend, cli, docker, port):
    output = cli.ok("up", "--detach")

    settings = env_files.read(backend / ".env")
    (started,) = docker.calls("up")
    (made,) = docker.calls("exec")
    file = str(backend / "session_backend/compose.yaml")
    assert ["compose", "--file", file, "up", "--detach", "--build", "--wait", "session-api"] == started
    assert {"SESSION_BACKEND_URL": f"http://127.0.0.1:{port}", "SESSION_BACKEND_API_KEY": KEY} == settings
    assert 0o600 == stat.S_IMODE((backend / ".env").stat().st_mode)
    scopes = ["--scope", "read", "--scope", "write", "--scope", "delete"]
    keys = ["flask", "keys", "create", "--tenant", "default", "--name", "my-agent", *scopes]
    assert ["compose", "--file", file, "exec", "-T", "session-api", *keys] == made
    assert KEY not in output


def test_the_key_that_up_makes_opens_the_service(backend, cli, docker, keyed_url, database_url):
    env_files.keep(backend / "session_backend/.env", {"API_PORT": keyed_url.rpartition(":")[2]})
    docker.runs("session-api")
    docker.executes({"DATABASE_URL": database_url, **KEYED})

    cli.ok("up", "--detach")

    assert "key         ok       may read, write and delete" in cli.ok("check").splitlines()
    assert "sk_" == env_files.read(backend / ".env")["SESSION_BACKEND_API_KEY"][:3]


def test_up_keeps_everything_else_in_the_agents_settings(backend, cli, docker):
    (backend / ".env").write_text("# mine\nMODEL='a model'\nSESSION_BACKEND_URL=http://old\n")

    cli.ok("up", "--detach")

    text = (backend / ".env").read_text()
    assert text.startswith("# mine\nMODEL='a model'\n")
    assert "http://old" not in text


def test_up_keeps_a_key_that_is_good(backend, cli, docker, live_url):
    env_files.keep(backend / "session_backend/.env", {"API_PORT": live_url.rpartition(":")[2]})
    env_files.keep(backend / ".env", {"SESSION_BACKEND_API_KEY": "the-one-that-is-good"})
    docker.runs("session-api")

    cli.ok("up", "--detach")

    assert "the-one-that-is-good" == env_files.read(backend / ".env")["SESSION_BACKEND_API_KEY"]
    assert [] == docker.calls("exec")


def test_up_makes_a_new_key_where_the_old_one_is_no_good(backend, cli, docker, serve, steps):  # noqa: F811
    url = serve(steps.refuse(401)).url
    env_files.keep(backend / "session_backend/.env", {"API_PORT": url.rpartition(":")[2]})
    env_files.keep(backend / ".env", {"SESSION_BACKEND_API_KEY": "of-another-database"})
    docker.runs("session-api")

    cli.ok("up", "--detach")

    assert KEY == env_files.read(backend / ".env")["SESSION_BACKEND_API_KEY"]


def test_up_keeps_a_key_that_it_cannot_ask_about(backend, cli, docker):
    env_files.keep(backend / ".env", {"SESSION_BACKEND_API_KEY": "unknown-whether-good"})

    result = cli("up", "--detach")

    assert 1 == result.exit_code
    assert "can't be asked about the agent's key" in result.stderr
    assert "unknown-whether-good" == env_files.read(backend / ".env")["SESSION_BACKEND_API_KEY"]


def test_up_makes_the_secrets_where_they_are_missing_as_after_a_clone(backend, cli, docker):
    (backend / "session_backend/.env").unlink()
    docker.runs("session-api")

    cli.ok("up", "--detach")

    assert 0o600 == stat.S_IMODE((backend / "session_backend/.env").stat().st_mode)
    assert env_files.read(backend / "session_backend/.env")["API_KEY_SECRET"]


def test_up_follows_the_logs_unless_it_is_told_to_detach(backend, cli, docker, capfd):
    cli.ok("up")

    assert "a line of the log" in capfd.readouterr().out
    assert 1 == len(docker.calls("logs", "--follow"))
    assert ["compose", "--file", str(backend / "session_backend/compose.yaml"), "stop"] == docker.calls()[-1]


def test_down_stops_what_up_started_from_the_file_that_stayed(backend, cli, docker):
    cli.ok("up", "--detach")

    output = cli.ok("down")

    (stopped,) = docker.calls("down")
    assert ["compose", "--file", str(backend / "session_backend/compose.yaml"), "down", "--remove-orphans"] == stopped
    assert "the data stays" in output
    assert "Nothing of my-agent runs." in cli.ok("down")


def test_status_says_what_runs(backend, cli, docker):
    before = cli("status")
    cli.ok("up", "--detach")
    after = cli("status")

    assert (1, 0) == (before.exit_code, after.exit_code)
    assert "containers  ok       session-api, session-db" in after.stdout


def test_logs_are_those_of_the_containers(backend, cli, docker):
    docker.runs("session-api")

    cli.ok("logs", "--follow")

    assert 1 == len(docker.calls("logs", "--follow"))


def test_no_logs_are_an_error(backend, cli, docker):
    result = cli("logs")

    assert 1 == result.exit_code
    assert "never ran here" in result.stderr


@pytest.mark.parametrize(
    ("words", "says", "expected"),
    [
        (["compose", "version"], "unknown command", "Docker has no Compose"),
        (["--format"], "Cannot connect to the Docker daemon", "not running (Cannot connect to the Docker daemon)"),
    ],
)
def test_up_says_what_docker_lacks(backend, cli, docker, words, says, expected):
    docker.fails_at(*words, says=says)

    result = cli("up", "--detach")

    assert 1 == result.exit_code
    assert expected in result.stderr
    assert "strands-session up --local" in result.stderr
    assert [] == docker.calls("up")


def test_up_and_build_say_that_docker_is_missing(project, cli, no_docker):
    for command in (["up"], ["build"]):
        result = cli(*command)

        assert 1 == result.exit_code
        assert "Docker is not installed: see https://docs.docker.com/get-docker/" in result.stderr


def test_down_and_status_need_no_docker_to_see_that_nothing_runs(project, cli, no_docker):
    assert "Nothing of my-agent runs." in cli.ok("down")
    assert 1 == cli("status").exit_code


def test_up_says_that_the_port_is_taken_and_where_to_choose_another(backend, cli, docker, port):
    with socket.create_server(("127.0.0.1", port)):
        result = cli("up", "--detach")

    assert 1 == result.exit_code
    assert f"Port {port} is taken" in result.stderr
    assert "API_PORT in session_backend/.env" in result.stderr
    assert [] == docker.calls("up")


def test_a_port_that_the_backend_itself_holds_is_no_obstacle(backend, cli, docker, port):
    docker.runs("session-api")
    with socket.create_server(("127.0.0.1", port)):
        cli.ok("up", "--detach")


@pytest.mark.parametrize("words", [["up"], ["exec"]])
def test_what_docker_fails_at_is_told(backend, cli, docker, words):
    docker.fails_at(*words, says="the reason")

    result = cli("up", "--detach")

    assert 1 == result.exit_code
    assert "`docker compose` failed" in result.stderr


def test_projects_with_files_have_no_backend_to_start(here, cli, monkeypatch):
    cli.ok("init", "plain", "--session-state", "file")
    monkeypatch.chdir(here / "plain")

    for command in ("up", "down", "status", "logs"):
        result = cli(command)

        assert 1 == result.exit_code
        assert "`strands-session add` gives it PostgreSQL" in result.stderr


def test_build_builds_both_images_and_pushes_them_if_told(project, cli, docker):
    cli.ok("build", "--tag", "1.0", "--push", "--registry", "registry.example.com/agents/")

    own, backend = docker.calls("build")
    pushed = [call[1] for call in docker.calls("push")]
    assert ["build", "--tag", "my-agent:1.0", "--file", "deployment/docker/Dockerfile", "."] == own
    assert ["build", "--tag", "my-agent-session-api:1.0", "session_backend"] == backend
    assert [
        "registry.example.com/agents/my-agent:1.0",
        "registry.example.com/agents/my-agent-session-api:1.0",
    ] == pushed
    assert str(project) == docker.seen("build")["directory"]


def test_build_of_a_project_with_files_builds_one_image(here, cli, docker, monkeypatch):
    cli.ok("init", "plain", "--session-state", "file")
    monkeypatch.chdir(here / "plain")

    cli.ok("build")

    assert [["build", "--tag", "plain:latest", "--file", "deployment/docker/Dockerfile", "."]] == docker.calls("build")
    assert [] == docker.calls("push")


def test_push_needs_a_registry(project, cli, docker):
    result = cli("build", "--push")

    assert 2 == result.exit_code
    assert [] == docker.calls()


def test_the_scripts_do_what_the_command_does(project, docker):
    environment = {"PATH": f"{docker.directory}:{os.defpath}"}
    subprocess.run([project / "scripts/build.sh", "1.0"], env=environment, check=True, capture_output=True)
    push = [project / "scripts/push.sh", "registry.example.com", "1.0"]
    subprocess.run(push, env=environment, check=True, capture_output=True)

    built = [call[2] for call in docker.calls("build")]
    pushed = [call[1] for call in docker.calls("push")]
    assert ["my-agent:1.0", "my-agent-session-api:1.0"] == built
    assert ["registry.example.com/my-agent:1.0", "registry.example.com/my-agent-session-api:1.0"] == pushed
