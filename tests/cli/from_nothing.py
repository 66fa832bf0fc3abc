"""A user's whole way, on an environment with nothing in it: install, init, install the project, up, test, talk, down.

`make test-install` runs it; it downloads what a user would, so it is not among the quick tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, free_port

from .processes import Api


@pytest.fixture
def place() -> Iterator[Path]:
    """Not pytest's own folder: as root, PostgreSQL runs as another user, who could not enter that."""
    with tempfile.TemporaryDirectory(prefix="nothing-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def test_a_user_gets_there_with_nothing_but_the_wheels(place, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("SESSION_BACKEND_", "PYTHON"))]:
        monkeypatch.delenv(name)
    wheels = [str(_wheel(ROOT / part, place / f"source-{number}")) for number, part in enumerate(["client", "."])]
    subprocess.run([sys.executable, "-m", "venv", place / "venv"], check=True)
    bin = place / "venv" / "bin"
    pip = [bin / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]

    def run(*command: str | Path, cwd: Path = place) -> str:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    run(*pip, f"{wheels[0]}[cli]", f"{wheels[1]}[embedded]")
    run(bin / "strands-session", "init", "my-agent")
    project = place / "my-agent"
    run(*pip, "-e", ".[dev]", cwd=project)
    try:
        run(bin / "strands-session", "up", "--local", "--detach", "--port", str(free_port()), cwd=project)
        checked = run(bin / "strands-session", "check", cwd=project)
        tested = run(bin / "python", "-m", "pytest", "-q", cwd=project)
        first = Api(project, [str(bin / "my-agent")], {})
        first.say("ann", "My favourite colour is teal.")
        first.kill()
        second = Api(project, [str(bin / "my-agent")], {})
        answer = second.say("ann", "What is my favourite colour?")
        second.kill()
    finally:
        stopped = run(bin / "strands-session", "down", cwd=project)

    assert 4 == checked.count(" ok ")
    assert "10 passed" in tested
    assert "Your favourite colour is teal." == answer
    assert "Stopped; the data stays.\n" == stopped


def _wheel(source: Path, copy: Path) -> Path:
    """The wheel of a distribution, built from a copy, so that nothing is left in the sources."""
    ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(source, copy, ignore=ignored)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "."]
    subprocess.run(build, cwd=copy, check=True, capture_output=True)
    (wheel,) = copy.glob("strands_session*.whl")
    return wheel
