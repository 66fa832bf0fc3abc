"""A write that its client gave up must not come after those that it sent later."""

from __future__ import annotations

import http.client
import json
import select
import socket
from collections.abc import Iterator
from time import sleep
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from session_api import caller
from session_api.db import Database
from session_api.errors import CallerGone
from session_api.models import AgentKey
from session_api.store import agents
from session_api.strict_json import Document

from .conftest import AGENT, new_id


class ClientSide(NamedTuple):
    """The client's end of the connection over which this thread's request came."""

    there: socket.socket
    here: socket.socket

    def close(self) -> None:
        """Return when the other end has been told: under load, even on one machine, that is not at once."""
        self.there.close()
        told = select.poll()
        told.register(self.here, select.POLLRDHUP)  # a reset is always reported
        assert told.poll(30_000)


@pytest.fixture
def client_side() -> Iterator[ClientSide]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as there,
        listener.accept()[0] as here,
    ):
        caller.is_at(here)
        yield ClientSide(there, here)
    caller.is_at(None)


def test_a_write_whose_client_waits_is_done(db: Database, agent_key: AgentKey, client_side: ClientSide) -> None:
    assert b'{"n":1}' == db.run(agents.update, agent_key, {"state": Document(b'{"n":1}')}).state


@pytest.mark.parametrize("sent", [b"", b"more that nobody has read"])
def test_a_write_whose_client_is_gone_is_not_begun(
    db: Database, agent_key: AgentKey, client_side: ClientSide, sent: bytes
) -> None:
    client_side.there.sendall(sent)
    client_side.close()

    with pytest.raises(CallerGone):
        db.run(agents.update, agent_key, {"state": Document(b'{"n":1}')})

    assert b"{}" == db.read(agents.read, agent_key).state


def test_a_write_whose_connection_was_reset_is_not_begun(
    db: Database, agent_key: AgentKey, client_side: ClientSide
) -> None:
    client_side.there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client_side.close()

    with pytest.raises(CallerGone):
        db.run(agents.update, agent_key, {"state": Document(b'{"n":1}')})


def serving(port: int, client_port: int) -> psutil.Process:
    """The worker that holds the other end of a client's connection."""
    (pid,) = {
        connection.pid
        for connection in psutil.net_connections("tcp4")
        if connection.pid and (connection.laddr, connection.raddr) == (("127.0.0.1", port), ("127.0.0.1", client_port))
    }
    return psutil.Process(pid)


def wait_until_left(worker: psutil.Process, client_port: int) -> None:
    """Return when the worker has dealt with all that came over this connection."""
    for _ in range(1500):
        if all(
            connection.raddr == () or connection.raddr.port != client_port for connection in worker.net_connections()
        ):
            return
        sleep(0.02)
    pytest.fail("the worker still holds the connection")


def test_what_a_frozen_worker_holds_up_does_not_undo_what_another_did_meanwhile(live_url: str) -> None:
    session = requests.post(f"{live_url}/api/v1/sessions", json={"session_id": new_id()}).headers["Location"]
    agent = requests.post(f"{live_url}{session}/agents", json=AGENT).headers["Location"]
    service = urlsplit(live_url)
    first = http.client.HTTPConnection(service.hostname or "", service.port)
    first.request("GET", agent)
    first.getresponse().read()
    own_port = first.sock.getsockname()[1]
    worker = serving(service.port or 0, own_port)

    worker.suspend()
    first.request("PUT", agent, json.dumps({"state": {"tried": "first"}}), {"Content-Type": "application/json"})
    first.close()
    second = requests.put(f"{live_url}{agent}", json={"state": {"tried": "second"}})
    worker.resume()
    wait_until_left(worker, own_port)

    assert 200 == second.status_code
    assert {"tried": "second"} == requests.get(f"{live_url}{agent}").json()["state"]
