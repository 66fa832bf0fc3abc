"""Sends prepared HTTP requests over kept-alive connections, one at a time on each, and takes the time of every answer.

One thread and a selector: a client library would cost more than the service that is measured.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterator
from time import perf_counter

LAST_ANSWERS_SECONDS = 10.0


class Connection:
    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.port = port
        self.requests = requests
        self.sent = 0.0
        self.answer = b""
        self.missing: int | None = None
        self.is_last = False  # the service has said that it closes the connection
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

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
        self.is_last = b"connection: close" in head
        return self.missing <= 0


def run(
    port: int,
    requests: Callable[[int], Iterator[bytes]],
    connections: int,
    seconds: float,
    failures: list[str] | None = None,
) -> list[float]:
    """Seconds of each request that was answered within the time; `requests(n)` are those of connection n.

    Raises RuntimeError with the answer when one is not a success, and ConnectionError; or notes them in `failures`.
    """
    selector = selectors.DefaultSelector()
    opened = [Connection(port, requests(number)) for number in range(connections)]
    took: list[float] = []
    for connection in opened:
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send()
    # The first answer of each comes late, for they all come at once; the time begins when everybody had one.
    new, waiting = set(opened), set(opened)
    begins = ends = perf_counter() + LAST_ANSWERS_SECONDS
    # What is still under way at the end is waited for, though not counted: it would burden whoever comes next.
    while waiting and perf_counter() < ends + LAST_ANSWERS_SECONDS:
        for key, _ in selector.select(1):
            connection = key.data
            try:
                if not connection.receive():
                    continue
                now = perf_counter()
                if begins < now and (now < ends or not took):
                    took.append(now - connection.sent)
            except (RuntimeError, ConnectionError) as error:
                if failures is None:
                    raise
                failures.append(str(error))
                connection.is_last = True
            if connection in new:
                new.discard(connection)
                if not new:
                    begins = perf_counter()
                    ends = begins + seconds
            if connection.is_last:
                selector.unregister(connection.socket)
                connection.socket.close()
                connection.open()
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            if perf_counter() < ends:
                connection.send()
            else:
                waiting.discard(connection)
    for connection in opened:
        connection.socket.close()
    return took
