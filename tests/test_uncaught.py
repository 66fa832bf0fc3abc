"""What nobody logs is a line of the log all the same."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest

MARK = "canary-5d1e"

BEGIN = """
    import gc, sys, threading, warnings
    from session_api import logs, uncaught

    logs.configure("INFO", "json")
    uncaught.install()

    def fail(*_):
        raise ValueError("canary-5d1e") from KeyError("canary-5d1e")
"""


def run(script: str) -> tuple[int, list[dict[str, Any]], str]:
    """The exit code, the lines and the whole of what a process printed."""
    command = [sys.executable, "-c", textwrap.dedent(BEGIN) + textwrap.dedent(script)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    told = ended.stdout + ended.stderr
    return ended.returncode, [json.loads(line) for line in told.splitlines()], told


FAILURES = {
    "fail()": ("the process failed", 1),
    "thread = threading.Thread(target=fail); thread.start(); thread.join()": ("a thread failed", 0),
    "import gevent; gevent.spawn(fail).join()": ("a greenlet failed", 0),
    "class A: __del__ = fail\nA(); gc.collect()": ("cleaning up failed", 0),
}


@pytest.mark.parametrize("script", FAILURES)
def test_an_uncaught_exception_is_one_line_with_its_kind_and_place_and_without_its_text(script: str) -> None:
    code, (line,), told = run(script)

    assert (*FAILURES[script], "ValueError < KeyError") == (line["message"], code, line["cause"])
    assert any(place.endswith(" fail") for place in line["at"]) or line["at"]
    assert MARK not in told


def test_a_warning_is_one_line() -> None:
    _, (line,), _ = run("warnings.warn('old\\nand odd', stacklevel=1)")

    assert ("warning", "py.warnings", True) == (line["level"], line["logger"], "old\nand odd" in line["message"])


def test_what_is_printed_to_standard_error_is_a_line_for_each() -> None:
    script = """
        uncaught.install_prints()
        print("one\\n\\ntwo", file=sys.stderr)
        print("half", end="", file=sys.stderr)
        sys.stderr.flush()
    """
    _, lines, _ = run(script)

    assert [("printed", "one"), ("printed", "two"), ("printed", "half")] == [
        (line["message"], line["text"]) for line in lines
    ]


def test_an_interrupt_is_no_failure() -> None:
    command = [sys.executable, "-c", textwrap.dedent(BEGIN) + "raise KeyboardInterrupt"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert "the process failed" not in ended.stdout + ended.stderr
