"""Peers that never finish cost everybody else nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import requests

from .conftest import new_id

PIECES = {
    "request line": b"POST /api/v1/sess",
    "headers": b"POST /api/v1/sessions HTTP/1.1\r\nHost: here\r\nContent-Type: applica",
    "body": b"POST /api/v1/sessions HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000000\r\n\r\n{"session_id": "',
}


@pytest.fixture
def slow_senders(live_url: str) -> Iterator[list[socket.socket]]:
    """50 connections, on each a part of a request and a byte more every second."""
    address = urlsplit(live_url)
    senders: list[socket.socket] = []
    for number in range(50):
        sender = socket.create_connection((address.hostname, address.port))
        sender.sendall(list(PIECES.values())[number % len(PIECES)])
        senders.append(sender)
    ended = threading.Event()

    def trickle() -> None:
        while not ended.wait(1):
            for sender in senders:
                with suppress(OSError):
                    sender.sendall(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    yield senders
    ended.set()
    thread.join()
    for sender in senders:
        sender.close()


@pytest.fixture
def idle_connections(live_url: str) -> Iterator[None]:
    """50 more, kept alive after a request or never used."""
    address = urlsplit(live_url)
    sockets = [socket.create_connection((address.hostname, address.port)) for _ in range(25)]
    sessions = [requests.Session() for _ in range(25)]
    for http in sessions:
        http.get(f"{live_url}/health/live")
    yield
    for connection in (*sockets, *sessions):
        connection.close()


def test_others_are_answered_while_50_send_a_byte_a_second_and_50_sit_idle(
    live_url: str, slow_senders: list[socket.socket], idle_connections: None
) -> None:
    def write_and_read(_: int) -> tuple[int, int]:
        session_id = new_id()
        made = requests.post(f"{live_url}/api/v1/sessions", json={"session_id": session_id}, timeout=5)
        return made.status_code, requests.get(f"{live_url}/api/v1/sessions/{session_id}", timeout=5).status_code

    with ThreadPoolExecutor(8) as clients:
        answers = set(clients.map(write_and_read, range(200)))

    assert {(201, 200)} == answers
    for sender in slow_senders:
        sender.setblocking(False)
        with pytest.raises(BlockingIOError):  # still connected, and nothing was answered
            sender.recv(1)
