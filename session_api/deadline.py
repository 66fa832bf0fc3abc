"""Ends what a stalled network would hold for ever: psycopg2 waits through a callback that knows when to stop.

No timeout of PostgreSQL or of TCP covers a statement whose answer is stuck in a proxy that keeps acknowledging data.
"""

from __future__ import annotations

from contextvars import ContextVar
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import Any

from gevent import monkey
from gevent import socket as gevent_socket
from psycopg2 import OperationalError
from psycopg2.extensions import POLL_OK, POLL_READ, set_wait_callback

from . import watch

# One per thread and per greenlet, also when gevent patches threads after this module was imported.
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


class DeadlineExceeded(OperationalError):
    """PostgreSQL did not answer in time. psycopg2 has closed the connection: what it was doing there is unknown."""


class within:  # in small letters, as contextlib has them; one of its own would cost three times as much
    """Raise DeadlineExceeded in this thread or greenlet when it still waits for PostgreSQL after `seconds`.

    A deadline inside another one can shorten it only.
    """

    __slots__ = ("_seconds", "_token")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._token = _deadline.set(min(monotonic() + self._seconds, _deadline.get()))

    def __exit__(self, *error: object) -> None:
        _deadline.reset(self._token)


def left() -> float:
    """Seconds until the deadline; infinite without one."""
    return _deadline.get() - monotonic()


def install() -> None:
    """Make psycopg2 wait here, in the whole process; where gevent runs, others go on meanwhile."""
    set_wait_callback(_wait_in_greenlet if monkey.is_module_patched("socket") else _wait_in_thread)


def _wait_in_thread(connection: Any) -> None:
    waiter = None
    while (state := connection.poll()) != POLL_OK:
        if waiter is None:
            waiter = poll()
        seconds = _left_or_raise()
        waiter.register(connection.fileno(), POLLIN if state == POLL_READ else POLLOUT)
        waiter.poll(None if seconds == float("inf") else seconds * 1000 + 1)


def _wait_in_greenlet(connection: Any) -> None:
    while (state := connection.poll()) != POLL_OK:
        wait = gevent_socket.wait_read if state == POLL_READ else gevent_socket.wait_write
        _left_or_raise()
        with watch.until(_deadline.get(), _exceeded):
            wait(connection.fileno())


def _left_or_raise() -> float:
    seconds = left()
    if seconds <= 0:
        # Only raise: closing the connection here would crash libpq, and psycopg2 does it anyway.
        raise _exceeded()
    return seconds


def _exceeded() -> DeadlineExceeded:
    return DeadlineExceeded("the deadline of the request has passed")
