"""Ends what a stalled network would hold for ever: psycopg2 waits through a callback that knows when to stop.

No timeout of PostgreSQL or of TCP covers a statement whose answer is stuck in a proxy that keeps acknowledging data.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import Any

from psycopg2 import OperationalError
from psycopg2.extensions import POLL_OK, POLL_READ, set_wait_callback

_thread = threading.local()


class DeadlineExceeded(OperationalError):
    """PostgreSQL did not answer in time. psycopg2 has closed the connection: what it was doing there is unknown."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise DeadlineExceeded in this thread when it still waits for PostgreSQL after `seconds`.

    A deadline inside another one can shorten it only.
    """
    outer: float | None = getattr(_thread, "deadline", None)
    inner = monotonic() + seconds
    _thread.deadline = inner if outer is None else min(inner, outer)
    try:
        yield
    finally:
        _thread.deadline = outer


def left() -> float:
    """Seconds until this thread's deadline; infinite without one."""
    deadline: float | None = getattr(_thread, "deadline", None)
    return float("inf") if deadline is None else deadline - monotonic()


def install() -> None:
    """Make psycopg2 wait in `_wait`, in the whole process."""
    set_wait_callback(_wait)


def _wait(connection: Any) -> None:
    waiter = None
    while (state := connection.poll()) != POLL_OK:
        if waiter is None:
            waiter = poll()
        seconds = left()
        if seconds <= 0:
            # Only raise: closing the connection here would crash libpq, and psycopg2 does it anyway.
            raise DeadlineExceeded("the deadline of the request has passed")
        waiter.register(connection.fileno(), POLLIN if state == POLL_READ else POLLOUT)
        waiter.poll(None if seconds == float("inf") else seconds * 1000 + 1)
