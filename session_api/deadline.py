"""Ends what a stalled network would hold for ever: psycopg2 waits through a callback that knows when to stop.

No timeout of PostgreSQL or of TCP covers a statement whose answer is stuck in a proxy that keeps acknowledging data.
"""

from __future__ import annotations

from contextvars import ContextVar
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import Any

import gevent
from gevent import monkey
from gevent import socket as gevent_socket
from psycopg2 import OperationalError
from psycopg2.extensions import POLL_OK, POLL_READ, set_wait_callback

# One per thread and per greenlet, also when gevent patches threads after this module was imported.
_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


# A wait may end so much later than it should.
LOOK_SECONDS = 0.1


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
    greenlet = None
    while (state := connection.poll()) != POLL_OK:
        wait = gevent_socket.wait_read if state == POLL_READ else gevent_socket.wait_write
        if greenlet is None:
            greenlet = gevent.getcurrent()
        _left_or_raise()
        _begin_to_look()
        _waiting[greenlet] = _deadline.get()
        try:
            wait(connection.fileno())
        finally:
            del _waiting[greenlet]


# By greenlet, until when it may wait. One timer for all of them: a timeout for each wait would cost more than the wait.
_waiting: dict[gevent.Greenlet, float] = {}
_timers: dict[Any, Any] = {}


def _begin_to_look() -> None:
    hub = gevent.get_hub()
    if hub not in _timers:
        _timers.clear()  # a parent's, before a fork
        _timers[hub] = hub.loop.timer(LOOK_SECONDS, LOOK_SECONDS, ref=False)
        _timers[hub].start(_look)


def _look() -> None:
    """In the hub, where every greenlet that has said so does wait: an exception reaches it nowhere else."""
    now = monotonic()
    for greenlet, ends in list(_waiting.items()):
        if ends <= now and greenlet in _waiting:
            greenlet.throw(_exceeded())


def _left_or_raise() -> float:
    seconds = left()
    if seconds <= 0:
        # Only raise: closing the connection here would crash libpq, and psycopg2 does it anyway.
        raise _exceeded()
    return seconds


def _exceeded() -> DeadlineExceeded:
    return DeadlineExceeded("the deadline of the request has passed")
