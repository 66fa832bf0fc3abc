"""What `make demo` runs, run as it is."""

import os
import re
import socket
import subprocess
import sys

from tests.conftest import ROOT


def run_demo(url):
    return subprocess.run(
        [sys.executable, "examples/remember.py"],
        cwd=ROOT,
        env=os.environ | {"SESSION_BACKEND_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_second_process_of_the_demonstration_answers_from_what_the_killed_one_was_told(live_url):
    demo = run_demo(live_url)

    assert (0, "") == (demo.returncode, demo.stderr)
    assert re.search(r"process (\d+) started\n.*process \1 killed with signal 9", demo.stdout, re.DOTALL)
    assert "agent: Your favourite colour is teal." in demo.stdout


def test_the_demonstration_says_in_one_sentence_that_nothing_answers_at_the_url():
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        demo = run_demo(url)

    assert (1, "") == (demo.returncode, demo.stdout)
    assert [f"No healthy session service answers at {url}: start it, or name another in SESSION_BACKEND_URL."] == (
        demo.stderr.splitlines()
    )


def test_the_demonstration_says_in_one_sentence_that_the_url_cannot_be_used():
    demo = run_demo("not a url")

    assert (1, "") == (demo.returncode, demo.stdout)
    assert ["The base URL must look like http://host:8001 or https://host."] == demo.stderr.splitlines()


def test_the_readme_shows_the_very_agent_of_the_demonstration():
    shown = re.search(r"```python\n.*?(def chat.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]

    assert shown in (ROOT / "examples" / "remember.py").read_text()
