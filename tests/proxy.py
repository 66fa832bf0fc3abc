"""A TCP proxy in front of PostgreSQL that does on command what networks do by accident."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from sqlalchemy.engine import URL, make_url

Connect = Callable[[], socket.socket]


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


def refusing() -> Proxy:
    """One that accepts and hangs up: `accepted` counts who tried."""
    return Proxy(lambda: socket.create_connection(("127.0.0.1", 1)))


class Proxy:
    """Passes bytes on until told otherwise.

    `stall` keeps connections open and passes nothing on; `cut` closes them; `cut_requests` closes when the next request
    comes, which the server never sees; `cut_answers` lets requests through and closes when the next answer comes: the
    server did the work, the client never hears of it.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._flows = threading.Event()
        self._flows.set()
        self._requests_to_cut = 0
        self._answers_to_cut = 0
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, original: str) -> str:
        """The URL of the same database, by way of this proxy."""
        url = make_url(original)
        through = URL.create(url.drivername, url.username, url.password, "127.0.0.1", self.port, url.database)
        return through.render_as_string(hide_password=False)

    def stall(self) -> None:
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def cut_requests(self, count: int = 1) -> None:
        self._requests_to_cut = count

    def cut_answers(self, count: int = 1) -> None:
        self._answers_to_cut = count

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
                    server = self._connect()
                except OSError:
                    client.close()
                    continue
                self._open |= {client, server}
                for source, target, answers in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass, args=(source, target, answers), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                if answers and self._answers_to_cut:
                    self._answers_to_cut -= 1
                    break
                if not answers and self._requests_to_cut:
                    self._requests_to_cut -= 1
                    break
                target.sendall(data)
        for connection in (source, target):
            self._open.discard(connection)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
