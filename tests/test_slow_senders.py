"""Peers that never finish cost everybody else nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest
import requests

from bench.slow_senders import idling, sending

from .conftest import new_id


@pytest.fixture
def slow_senders(live_url: str) -> Iterator[list[socket.socket]]:
    with sending(urlsplit(live_url).port) as senders:
        yield senders


@pytest.fixture
def idle_connections(live_url: str) -> Iterator[None]:
    """50 more, kept alive after a request or never used."""
    with idling(urlsplit(live_url).port, 25), ExitStack() as stack:
        for _ in range(25):
            stack.enter_context(requests.Session()).get(f"{live_url}/health/live")
        yield


def test_others_are_answered_while_50_send_a_byte_a_second_and_50_sit_idle(
    live_url: str, slow_senders: list[socket.socket], idle_connections: None
) -> None:
    def write_and_read(_: int) -> tuple[int, int]:
        session_id = new_id()
        made = requests.post(f"{live_url}/api/v1/sessions", json={"session_id": session_id}, timeout=30)
        return made.status_code, requests.get(f"{live_url}/api/v1/sessions/{session_id}", timeout=30).status_code

    with ThreadPoolExecutor(8) as clients:
        answers = set(clients.map(write_and_read, range(200)))

    assert {(201, 200)} == answers
    for sender in slow_senders:
        sender.setblocking(False)
        with pytest.raises(BlockingIOError):  # still connected, and nothing was answered
            sender.recv(1)


@pytest.fixture
def strangers(keyed_url: str) -> Iterator[list[socket.socket]]:
    """Four without a key, each sending a body without an end as fast as it is taken; enough for every process."""
    head = b"POST /api/v1/sessions HTTP/1.1\r\nHost: service\r\nContent-Length: 1000000000000\r\n\r\n"

    def send_on(stranger: socket.socket) -> None:
        with suppress(OSError):
            while True:
                stranger.sendall(b"x" * 65536)

    with ExitStack() as stack:
        address = ("127.0.0.1", urlsplit(keyed_url).port)
        strangers = [stack.enter_context(socket.create_connection(address)) for _ in range(4)]
        for stranger in strangers:
            stranger.sendall(head)
            thread = threading.Thread(target=send_on, args=(stranger,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(stranger.shutdown, socket.SHUT_RDWR)
        yield strangers


def test_others_are_answered_while_bodies_of_refused_requests_keep_coming(
    keyed_url: str, strangers: list[socket.socket]
) -> None:
    refused = [stranger.recv(12) for stranger in strangers]
    others = [requests.get(f"{keyed_url}/health/live", timeout=30).status_code for _ in range(20)]

    assert [b"HTTP/1.1 401"] * 4 == refused
    assert [200] * 20 == others
