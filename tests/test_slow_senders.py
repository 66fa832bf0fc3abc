"""Peers that never finish cost everybody else nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
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
        made = requests.post(f"{live_url}/api/v1/sessions", json={"session_id": session_id}, timeout=5)
        return made.status_code, requests.get(f"{live_url}/api/v1/sessions/{session_id}", timeout=5).status_code

    with ThreadPoolExecutor(8) as clients:
        answers = set(clients.map(write_and_read, range(200)))

    assert {(201, 200)} == answers
    for sender in slow_senders:
        sender.setblocking(False)
        with pytest.raises(BlockingIOError):  # still connected, and nothing was answered
            sender.recv(1)
