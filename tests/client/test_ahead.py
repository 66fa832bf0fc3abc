"""A page that is read in the background is a page that is read, failures included."""

import contextvars
import subprocess
import sys
import threading

import pytest

from strands_session_client import DatabaseConnectionError, ahead


def test_it_is_the_page_at_its_path():
    begun = ahead.begin(lambda path: f"page at {path}", "/a")

    assert "page at /a" == begun.page("/a")


def test_it_is_nothing_for_another_path_not_even_a_failure():
    def fail(path):
        raise DatabaseConnectionError("No answer.")

    assert ahead.begin(lambda path: f"page at {path}", "/a").page("/b") is None
    assert ahead.begin(fail, "/a").page("/b") is None


def test_a_failure_is_the_callers():
    def fail(path):
        raise DatabaseConnectionError(f"No answer for {path}.")

    begun = ahead.begin(fail, "/a")

    with pytest.raises(DatabaseConnectionError, match="No answer for /a"):
        begun.page("/a")


def test_it_is_read_in_the_callers_context():
    trace = contextvars.ContextVar("trace")
    trace.set("of the caller")

    assert "of the caller" == ahead.begin(lambda path: trace.get(), "/a").page("/a")


def test_nobody_waits_for_it_at_the_end_of_the_program():
    script = "from threading import Event; from strands_session_client import ahead as a; a.begin(Event().wait, None)"

    ended = subprocess.run([sys.executable, "-c", script], timeout=120)

    assert 0 == ended.returncode


def test_waiting_for_it_leaves_no_thread():
    ahead.begin(lambda path: path, "/a").wait()

    assert [] == [thread for thread in threading.enumerate() if thread.name == "session-page-ahead"]
