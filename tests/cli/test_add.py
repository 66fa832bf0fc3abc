"""`strands-session add`: PostgreSQL sessions for a project that exists, and nothing of it lost."""

from __future__ import annotations

import pytest

from strands_session_client.cli import pyproject

from .conftest import files


@pytest.fixture
def plain(here, cli, monkeypatch):
    """A project that keeps its sessions in files, which the test is in."""
    cli.ok("init", "my-agent", "--session-state", "file")
    monkeypatch.chdir(here / "my-agent")
    return here / "my-agent"


def test_a_project_with_files_becomes_what_init_makes(plain, here, cli):
    cli.ok("add")
    cli.ok("init", "my-agent", "-o", _new(here / "other"))

    own = {"README.md", ".env.example", "pyproject.toml", "session_backend/.env"}
    added, made = files(plain), files(here / "other/my-agent")
    differing = {path for path in added.keys() | made.keys() if added.get(path) != made.get(path)}
    assert set() == differing - own
    assert made["pyproject.toml"].replace("    ", "") == added["pyproject.toml"].replace("    ", "")


def _new(directory):
    directory.mkdir()
    return directory


def test_a_project_elsewhere_can_be_named(plain, here, cli, monkeypatch):
    monkeypatch.chdir(here)

    cli.ok("add", "my-agent")

    assert (plain / "session_backend/compose.yaml").is_file()


def test_prompts_tools_and_a_changed_agent_stay(plain, cli):
    for path in ("agent/agent.py", "agent/prompts.py", "agent/tools.py", "README.md", "scripts/build.sh"):
        (plain / path).write_text("# SYSTEM_PROMPT register_tools mine\n")

    cli.ok("add")

    for path in ("agent/agent.py", "agent/prompts.py", "agent/tools.py", "README.md", "scripts/build.sh"):
        assert "# SYSTEM_PROMPT register_tools mine\n" == (plain / path).read_text()
    assert not list(plain.rglob("*.orig"))


def test_a_changed_place_of_sessions_is_kept_beside_the_new_one(plain, cli):
    (plain / "agent/session_repository.py").write_text("# mine\n")

    output = cli.ok("add")

    assert "agent/session_repository.py.orig" in output
    assert "# mine\n" == (plain / "agent/session_repository.py.orig").read_text()
    assert "strands_session_client" in (plain / "agent/session_repository.py").read_text()


def test_what_was_kept_before_is_not_overwritten(plain, cli):
    (plain / "agent/session_repository.py").write_text("# mine\n")
    (plain / "agent/session_repository.py.orig").write_text("# older\n")
    before = files(plain)

    result = cli("add")

    assert 1 == result.exit_code
    assert "agent/session_repository.py.orig is in the way" in result.stderr
    assert before == files(plain)


def test_comments_and_order_of_pyproject_stay(plain, cli):
    path = plain / "pyproject.toml"
    path.write_text(path.read_text().replace("dependencies = [", 'dependencies = [\n    "mine>=1", # why'))

    cli.ok("add")

    assert '    "mine>=1", # why\n' in path.read_text()
    assert "strands-session-client" in path.read_text()


def test_a_project_without_pyproject_is_told_what_to_install(plain, cli):
    (plain / "pyproject.toml").unlink()

    result = cli("add")

    assert 0 == result.exit_code
    assert "strands-session-client" in result.stderr
    assert not (plain / "pyproject.toml").exists()


def test_a_project_that_is_built_with_something_else_stays_so(plain, cli):
    path = plain / "pyproject.toml"
    built = path.read_text().replace("setuptools.build_meta", "hatchling.build")
    path.write_text(built.replace('[tool.setuptools]\npackages = ["agent", "api"]\n', ""))

    cli.ok("add")

    assert "tool.setuptools" not in path.read_text()


def test_an_unreadable_pyproject_changes_nothing(plain, cli):
    (plain / "pyproject.toml").write_text("[project\n")
    before = files(plain)

    result = cli("add")

    assert 1 == result.exit_code
    assert "pyproject.toml can't be read" in result.stderr
    assert before == files(plain)


def test_names_that_the_agent_takes_and_are_not_there_are_told(plain, cli):
    (plain / "agent/tools.py").write_text("tools = []\n")

    result = cli("add")

    assert "agent/agent.py takes register_tools from agent/tools.py" in result.stderr


def test_a_project_that_has_them_is_left_as_it_is(project, cli):
    before = files(project)

    result = cli("add")

    assert 1 == result.exit_code
    assert "keeps its sessions in PostgreSQL already" in result.stderr
    assert before == files(project)


def test_a_directory_that_is_no_project_is_left_as_it_is(here, cli):
    result = cli("add")

    assert 1 == result.exit_code
    assert "is no agent's project" in result.stderr
    assert {} == files(here)


def test_the_project_is_called_as_its_pyproject_says(plain, cli):
    path = plain / "pyproject.toml"
    path.write_text(path.read_text().replace('name = "my-agent"', 'name = "other_name"'))

    cli.ok("add")

    assert 'name: "other-name"\n' in (plain / "session_backend/compose.yaml").read_text()
    assert "other_name" == pyproject.said(plain, "name")
