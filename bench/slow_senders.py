"""What others wait while 50 peers send a byte a second and 50 sit idle: `python -m bench.slow_senders`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import repeat
from statistics import quantiles
from urllib.parse import urlsplit

from . import load
from .inputs import request
from .stage import is_busy, machine, stage

ROUNDS = 5
SECONDS = 2.0
PARTS = (
    b"GET /api/v1/sess",
    b"POST /api/v1/sessions HTTP/1.1\r\nHost: bench\r\nContent-Type: applica",
    b"POST /api/v1/sessions HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer KEY\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000000\r\n\r\n{"session_id": "',
)


def main() -> None:
    print(f"On {machine()}; {ROUNDS} rounds of {SECONDS} s with 8 connections, without and with the slow ones.")
    if is_busy():
        print("WARNING: this machine was busy before it began.")
    with stage() as place:
        port = urlsplit(place.url).port or 80
        requests = repeat(request("GET", "/sessions?limit=1", key=place.api_key))
        for _ in range(ROUNDS):
            alone = load.run(port, lambda number: requests, 8, SECONDS)
            with sending(port, place.api_key), idling(port):
                beside = load.run(port, lambda number: requests, 8, SECONDS)
            print(
                f"p99 {_p99(alone):.0f} ms alone, {_p99(beside):.0f} ms beside them: {_p99(beside) / _p99(alone):.2f};"
                f" {len(beside) / len(alone):.2f} of the requests"
            )


@contextmanager
def sending(port: int, key: str = "") -> Iterator[list[socket.socket]]:
    """50 connections, on each a part of a request and a byte more every second."""
    with ExitStack() as stack:
        senders = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(50)]
        for number, sender in enumerate(senders):
            sender.sendall(PARTS[number % len(PARTS)].replace(b"KEY", key.encode()))
        ended = threading.Event()

        def trickle() -> None:
            while not ended.wait(1):
                for sender in senders:
                    with suppress(OSError):
                        sender.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        stack.callback(thread.join)
        stack.callback(ended.set)
        yield senders


@contextmanager
def idling(port: int, number: int = 50) -> Iterator[None]:
    """Connections on which nothing is ever sent."""
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        yield


def _p99(took: list[float]) -> float:
    return quantiles(took, n=100)[98] * 1000


if __name__ == "__main__":
    main()
