"""Looks up the database's host name so that other greenlets go on meanwhile; libpq would hold the whole process."""

from __future__ import annotations

import socket
from ipaddress import ip_address

import gevent
from gevent import monkey
from psycopg2 import OperationalError

from . import deadline


def addresses(host: str | None) -> dict[str, str]:
    """psycopg2's parameters for a host name; none where libpq has nothing to look up or holds a thread only.

    Raises OperationalError when there is no address, or none before the deadline.
    """
    if not host or host.startswith(("/", "@")) or "," in host or _is_address(host):
        return {}
    if not monkey.is_module_patched("socket"):
        return {}
    found: list[str] = []
    with gevent.Timeout(max(0.001, min(deadline.left(), 60)), False):
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            answers = []
        found = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
    if not found:
        raise OperationalError("the host name of the database has no address, or its name server does not answer")
    # libpq still needs the name: it is what a certificate is checked against.
    return {"host": ",".join([host] * len(found)), "hostaddr": ",".join(found)}


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
