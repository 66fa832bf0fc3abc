"""examples/test-session-agent: the project as it is generated, and its demonstration."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests.conftest import ROOT

from .conftest import files

EXAMPLE = ROOT / "examples/test-session-agent"
DESCRIPTION = "Remembers what it is told, whatever happens to its process."


def demo(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLE / "demo.py"],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_it_is_what_is_generated_today(here, cli):
    cli.ok("init", "test-session-agent", "-d", DESCRIPTION)

    made = files(here / "test-session-agent")
    del made["session_backend/.env"]
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    there = subprocess.run(listed, cwd=EXAMPLE, capture_output=True, text=True, check=True).stdout.split()
    assert made == {path: (EXAMPLE / path).read_text() for path in there if path != "demo.py"}, "run `make example`"


def test_its_demonstration_shows_what_it_promises(live_url):
    shown = demo(SESSION_BACKEND_URL=live_url)

    assert (0, "") == (shown.returncode, shown.stderr), shown.stdout
    first, second = re.findall(r"process (\d+) serves", shown.stdout)
    assert first != second
    assert "The process was killed with signal 9" in shown.stdout
    assert 4 == shown.stdout.count("agent: I will remember that.")
    assert 4 == len(set(re.findall(r"agent: Your favourite colour is (\w+)\.", shown.stdout)))
    assert "agent: You have not told me your favourite colour." in shown.stdout
    assert "sessions of this run that are left: 0" in shown.stdout
    assert shown.stdout.endswith("All as it should be.\n")


def test_its_demonstration_says_that_no_service_answers(port):
    shown = demo(SESSION_BACKEND_URL=f"http://127.0.0.1:{port}")

    assert (1, "") == (shown.returncode, shown.stdout)
    assert f"No healthy session service answers at http://127.0.0.1:{port}" in shown.stderr


def test_the_makefile_writes_it_with_this_description():
    assert f'--description "{DESCRIPTION}"' in (ROOT / "Makefile").read_text()
