"""A TCP proxy that does on command what networks do by accident."""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep

from sqlalchemy.engine import URL, make_url

Connect = Callable[[], socket.socket]

# What libpq says when it closes a connection, which may be long after the next one was opened.
_TERMINATE = b"X\x00\x00\x00\x04"
_WITHOUT_GOODBYE = struct.pack("ii", 1, 0)  # SO_LINGER of 0 s: close() resets the connection


def to_database(url: str) -> Connect:
    """Connects to the server of this URL, whether it listens on a socket file or on TCP."""
    target = make_url(url)
    folder = target.query.get("host")

    def connect() -> socket.socket:
        if folder:
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(f"{folder}/.s.PGSQL.{target.port or 5432}")
            return upstream
        return socket.create_connection((target.host or "", target.port or 5432))

    return connect


def to_port(port: int) -> Connect:
    """Connects to whoever listens there on this machine."""
    return lambda: socket.create_connection(("127.0.0.1", port))


def refusing() -> Proxy:
    """One that accepts and hangs up: `accepted` counts who tried."""
    return Proxy(to_port(1))


class Proxy:
    """Passes bytes on until told otherwise.

    `stall` keeps connections open and passes nothing on; `cut` closes them and `reset` does so without a goodbye.
    `cut_requests` and `cut_halves` close when the next request comes, before anything or with half of it passed on;
    `cut_answers` lets requests through and closes when the next answer comes: the server did the work, the client
    never hears of it. A goodbye is no request. `delay` (seconds), `bytes_per_second` and `refuses` hold until `calm`.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._links: set[_Link] = set()
        self._flows = threading.Event()
        self._to_cut: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.accepted = 0
        self.requests: list[float] = []
        self.asked = 0  # bytes, passed on or not
        self.answered = 0  # bytes that were passed on
        self.calm()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, original: str) -> str:
        """The URL of the same database, by way of this proxy."""
        url = make_url(original)
        through = URL.create(url.drivername, url.username, url.password, "127.0.0.1", self.port, url.database)
        return through.render_as_string(hide_password=False)

    def calm(self) -> None:
        self.delay = 0.0
        self.bytes_per_second: float | None = None
        self.refuses = False
        self._to_cut.clear()
        self._flows.set()

    def stall(self) -> None:
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        for link in list(self._links):
            link.end()

    def reset(self) -> None:
        for link in list(self._links):
            link.end(abruptly=True)

    def cut_requests(self, count: int = 1) -> None:
        self._to_cut["request"] = count

    def cut_halves(self, count: int = 1) -> None:
        self._to_cut["half"] = count

    def cut_answers(self, count: int = 1) -> None:
        self._to_cut["answer"] = count

    def close(self) -> None:
        self._flows.set()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                try:
                    if self.refuses:
                        raise ConnectionRefusedError
                    server = self._connect()
                except OSError:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _WITHOUT_GOODBYE)
                    client.close()
                    continue
                link = _Link(client, server)
                self._links.add(link)
                for source, target, answers in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass, args=(link, source, target, answers), daemon=True).start()

    def _pass(self, link: _Link, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.asked += 0 if answers else len(data)
                if not answers and b" HTTP/1.1\r\n" in data:
                    self.requests.append(monotonic())
                while not self._flows.wait(0.05) and not link.has_ended:
                    pass
                if link.has_ended or link.is_mute or self._is_to_cut("answer" if answers else "request", data):
                    break
                if not answers and self._is_to_cut("half", data):
                    link.is_mute = True  # an answer to the half may be faster than the end
                    target.sendall(data[: len(data) // 2])
                    break
                self.answered += len(data) if answers else 0
                self._send(target, data)
        link.end()
        link.leave()
        self._links.discard(link)

    def _is_to_cut(self, what: str, data: bytes) -> bool:
        with self._lock:
            if not self._to_cut[what] or data == _TERMINATE:
                return False
            self._to_cut[what] -= 1
            return True

    def _send(self, target: socket.socket, data: bytes) -> None:
        sleep(self.delay)
        while data:
            rate = self.bytes_per_second  # which may have become None meanwhile
            size = len(data) if rate is None else max(int(rate / 20), 1)
            target.sendall(data[:size])
            data = data[size:]
            if rate is not None:
                sleep(size / rate)


class _Link:
    """One connection through the proxy: a thread for each direction, and the last of them closes both sockets."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._sockets = (client, server)
        self._lock = threading.Lock()
        self._directions = 2
        self._abruptly = False
        self.has_ended = False
        self.is_mute = False

    def end(self, *, abruptly: bool = False) -> None:
        """Wake both threads. The first way to end it is the one that the peers see."""
        with self._lock:
            if self.has_ended:
                return
            self.has_ended, self._abruptly = True, abruptly
        for connection in self._sockets:
            with suppress(OSError):
                # A socket that another thread reads can't be closed; this wakes that thread and tells the peer nothing.
                connection.shutdown(socket.SHUT_RD if abruptly else socket.SHUT_RDWR)

    def leave(self) -> None:
        """To be called once by each thread."""
        with self._lock:
            self._directions -= 1
            if self._directions:
                return
        for connection in self._sockets:
            with suppress(OSError):
                if self._abruptly and connection.family == socket.AF_INET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _WITHOUT_GOODBYE)
                connection.close()
