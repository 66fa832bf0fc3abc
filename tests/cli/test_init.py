"""`strands-session init`: all of a project, or nothing."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from strands_session_client.cli import env_files, pyproject

from .conftest import COMMAND, files

BOTH = {
    ".dockerignore",
    ".env.example",
    ".gitignore",
    "README.md",
    "agent/__init__.py",
    "agent/agent.py",
    "agent/model.py",
    "agent/prompts.py",
    "agent/session_repository.py",
    "agent/tools.py",
    "api/__init__.py",
    "api/app.py",
    "api/models.py",
    "api/routes.py",
    "deployment/docker/Dockerfile",
    "deployment/docker/requirements.txt",
    "pyproject.toml",
    "scripts/build.sh",
    "scripts/deploy.sh",
    "scripts/push.sh",
    "tests/test_api.py",
}
BACKEND = {
    "session_backend/.env",
    "session_backend/.env.example",
    "session_backend/Dockerfile",
    "session_backend/README.md",
    "session_backend/compose.yaml",
    "session_backend/create-key.sh",
}


@pytest.mark.parametrize(("kind", "expected"), [("file", BOTH), ("postgresql", BOTH | BACKEND)])
def test_a_project_has_these_files(here, cli, kind, expected):
    cli.ok("init", "my-agent", "--session-state", kind)

    assert expected == set(files(here / "my-agent"))
    assert ["my-agent"] == os.listdir(here)


def test_postgresql_is_what_it_makes_if_nothing_is_said(here, cli):
    cli.ok("init", "my-agent")

    assert (here / "my-agent/session_backend/compose.yaml").is_file()


def test_it_is_made_in_the_directory_that_is_named(here, cli):
    (here / "agents").mkdir()

    cli.ok("init", "my-agent", "-o", "agents")

    assert (here / "agents/my-agent/agent/agent.py").is_file()
    assert ["agents"] == os.listdir(here)


@pytest.mark.parametrize("kind", ["file", "postgresql"])
@pytest.mark.parametrize(
    "description", ['Says "hi" \\ {{ 7 * 7 }} {% raw %}', "日本 ünd $HOME `id` ${x} # no", "'''\"\"\"", "x" * 200]
)
def test_a_description_comes_through_everywhere_as_it_is(here, cli, kind, description):
    cli.ok("init", "my-agent", "--session-state", kind, "-d", description)

    made = here / "my-agent"
    prompts: dict[str, str] = {}
    exec((made / "agent/prompts.py").read_text(), prompts)
    compile((made / "api/app.py").read_text(), "app.py", "exec")
    assert description == pyproject.said(made, "description")
    assert prompts["SYSTEM_PROMPT"].endswith(description)
    assert description in (made / "README.md").read_text()


@pytest.mark.parametrize("description", ["", "  ", "two\nlines", "a\x7f", "a\udc80", "x" * 201])
def test_a_description_that_is_no_line_is_refused(here, cli, description):
    result = cli("init", "my-agent", "-d", description)

    assert 1 == result.exit_code
    assert [] == os.listdir(here)


@pytest.mark.parametrize(
    "name",
    ["", "1agent", "-x", "a-", "a_", "my agent", "a/b", "..", "a.b", "ägent", "a\n", "$(id)", "x" * 41, "FastAPI"],
)
def test_a_name_that_not_everything_can_bear_is_refused(here, cli, name):
    result = cli("init", "--", name)

    assert 1 == result.exit_code
    assert "name" in result.stderr
    assert [] == os.listdir(here)


@pytest.mark.parametrize("name", ["a", "My_Agent", "agent-007", "x" * 40])
def test_a_name_that_everything_can_bear_is_taken(here, cli, name):
    cli.ok("init", name)

    assert f'name: "{name.lower().replace("_", "-")}"\n' in (here / name / "session_backend/compose.yaml").read_text()


@pytest.mark.parametrize("standing", ["file", "directory", "full directory", "broken link"])
def test_what_exists_is_never_touched(here, cli, standing):
    place = here / "my-agent"
    if standing == "file":
        place.write_text("mine")
    elif standing == "broken link":
        place.symlink_to("nowhere")
    else:
        place.mkdir()
        if standing == "full directory":
            (place / "mine").write_text("mine")
    before = (place.lstat(), files(here))

    result = cli("init", "my-agent")

    assert 1 == result.exit_code
    assert "exists already" in result.stderr
    assert before == (place.lstat(), files(here))
    assert ["my-agent"] == os.listdir(here)


def test_a_directory_that_is_not_there_is_named(here, cli):
    result = cli("init", "my-agent", "-o", "nowhere")

    assert 1 == result.exit_code
    assert f"There is no directory {here / 'nowhere'}." in result.stderr
    assert [] == os.listdir(here)


def test_a_failed_init_leaves_nothing_behind_and_says_why(here):
    # No file may be larger than a block, so the first long one fails when half the project is written.
    command = ["bash", "-c", 'ulimit -f 2; exec "$@"', "limited", *COMMAND, "init", "my-agent"]
    # Nor may it keep compiled modules: Python would leave them cut off, and whoever imports them next would fail.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    failed = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True, check=False)

    assert 1 == failed.returncode
    assert f"Error: {here / 'my-agent'} can't be made: File too large." == failed.stderr.splitlines()[-1]
    assert [] == os.listdir(here)


def test_an_init_that_is_ended_leaves_nothing_behind(here):
    # Ends itself at the last moment: when all is written, and nothing is in its place.
    code = (
        "import os, pathlib, signal, time\n"
        "from strands_session_client.cli import env_files, main\n"
        "def stop(project):\n"
        "    print(sorted(os.listdir('.')), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(30)\n"
        "env_files.ensure_backend_settings = stop\n"
        "main()"
    )
    ended = subprocess.run([COMMAND[0], "-c", code, "init", "my-agent"], cwd=here, capture_output=True, text=True)

    assert 128 + signal.SIGTERM == ended.returncode
    assert ".my-agent-" in ended.stdout
    assert [] == os.listdir(here)


def test_secrets_are_random_for_their_owner_alone_and_left_out_by_git(here, cli):
    cli.ok("init", "one")
    cli.ok("init", "two")

    one, two = (env_files.read(here / name / "session_backend/.env") for name in ("one", "two"))
    ignored = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "session_backend/.env", ".env"],
        cwd=_repository(here / "one"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0o600 == stat.S_IMODE((here / "one/session_backend/.env").stat().st_mode)
    assert 48 == len(one["POSTGRES_PASSWORD"])
    assert 32 <= len(one["API_KEY_SECRET"])
    assert set() == {one[name] for name in ("POSTGRES_PASSWORD", "API_KEY_SECRET")} & set(two.values())
    assert ["session_backend/.env", ".env"] == ignored.stdout.split()


def _repository(directory: Path) -> Path:
    subprocess.run(["git", "init", "--quiet"], cwd=directory, check=True)
    return directory


def test_scripts_can_be_run_and_read(here, cli):
    cli.ok("init", "my-agent")

    scripts = sorted((here / "my-agent").rglob("*.sh"))
    assert ["build.sh", "create-key.sh", "deploy.sh", "push.sh"] == sorted(script.name for script in scripts)
    for script in scripts:
        assert os.access(script, os.X_OK)
        subprocess.run(["bash", "-n", script], check=True)


def test_a_backend_that_cannot_be_reached_is_a_warning(here, cli, monkeypatch, port):
    monkeypatch.setenv("SESSION_BACKEND_URL", f"http://127.0.0.1:{port}")

    result = cli("init", "my-agent")

    assert 0 == result.exit_code
    assert f"No answer from http://127.0.0.1:{port}" in result.stderr
    assert "strands-session up" in result.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "not a url"])
def test_a_backend_that_is_required_and_cannot_be_reached_is_an_error(here, cli, monkeypatch, port, url):
    monkeypatch.setenv("SESSION_BACKEND_URL", url.format(port=port))

    result = cli("init", "my-agent", "--require-backend")

    assert 1 == result.exit_code
    assert "can't be reached" in result.stderr
    assert [] == os.listdir(here)


def test_a_backend_that_is_required_and_answers_is_enough(here, cli, monkeypatch, live_url):
    monkeypatch.setenv("SESSION_BACKEND_URL", live_url)

    result = cli("init", "my-agent", "--require-backend")

    assert (0, "") == (result.exit_code, result.stderr)
    assert (here / "my-agent").is_dir()


def test_files_need_no_backend(here, cli, monkeypatch, port):
    monkeypatch.setenv("SESSION_BACKEND_URL", f"http://127.0.0.1:{port}")

    result = cli("init", "my-agent", "--session-state", "file", "--require-backend")

    assert (0, "") == (result.exit_code, result.stderr)
