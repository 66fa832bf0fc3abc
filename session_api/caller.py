"""Knows whether the client that a request came from still waits for its answer.

One that gave up sends the same write again, and newer ones after it: a first try that was held up in a queue, or in a
process that did not run, must not be applied after those.
"""

from __future__ import annotations

import socket
from contextvars import ContextVar

_connection: ContextVar[socket.socket | None] = ContextVar("connection", default=None)

_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)  # Linux; elsewhere nobody is ever known to be gone
# From <netinet/tcp.h>: a connection that was reset, and one whose other end has closed.
_CLOSED_THERE = (7, 8)


def is_at(connection: socket.socket | None) -> None:
    """The request that this thread or greenlet works on came over this connection."""
    _connection.set(connection)


def is_gone() -> bool:
    """Whether the client has closed its connection, as far as its host has said so until now."""
    connection = _connection.get()
    if connection is None or _TCP_INFO is None:
        return False
    try:
        # The state shows what a read would not: that the end of the stream lies behind data that nobody has read.
        state: int = connection.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)[0]
    except OSError:  # no TCP, such as a socket file
        return False
    return state in _CLOSED_THERE
