"""Sends prepared HTTP requests over kept-alive connections, one at a time on each, and takes the time of every answer.

One thread and a selector: a client library would cost more than the service that is measured.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterator
from time import perf_counter


class Connection:
    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = requests
        self.sent = 0.0
        self.answer = b""
        self.missing: int | None = None

    def send(self) -> None:
        request = next(self.requests)
        self.answer, self.missing = b"", None
        self.sent = perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Whether the answer is complete."""
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionError("the service closed the connection")
        if self.missing is not None:
            self.missing -= len(data)
            return self.missing <= 0
        self.answer += data
        end = self.answer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self.answer[:end].lower()
        if not self.answer.startswith((b"HTTP/1.1 20", b"HTTP/1.1 304")):
            raise RuntimeError(self.answer[:600].decode("utf-8", "replace"))
        length = head.rpartition(b"content-length:")[2].partition(b"\r\n")[0]
        body = int(length) if b"content-length:" in head else 0
        self.missing = end + 4 + body - len(self.answer)
        return self.missing <= 0


def run(port: int, requests: Callable[[int], Iterator[bytes]], connections: int, seconds: float) -> list[float]:
    """Seconds of each request that was answered within the time; `requests(n)` are those of connection n.

    Raises RuntimeError with the answer when one is not a success.
    """
    selector = selectors.DefaultSelector()
    opened = [Connection(port, requests(number)) for number in range(connections)]
    took: list[float] = []
    for connection in opened:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send()
    ends = perf_counter() + seconds
    while perf_counter() < ends:
        for key, _ in selector.select(1):
            connection = key.data
            if connection.receive():
                took.append(perf_counter() - connection.sent)
                connection.send()
    for connection in opened:
        connection.socket.close()
    return took
