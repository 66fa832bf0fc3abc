"""What the client's tests share: a clean environment and small servers that misbehave as told."""

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from strands_session_client import cache

Step = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: Any
    body: bytes
    peer: tuple[str, int]


class Misbehaving:
    """A server that takes one step per request, and the last one for all that follow."""

    def __init__(self, *steps: Step, opens_after: float = 0, leaves_body: bool = False) -> None:
        self.received: list[Received] = []
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = b"" if leaves_body else self.rfile.read(length)
                script.received.append(Received(self.command, self.path, self.headers, body, self.client_address))
                step = steps[min(len(script.received), len(steps)) - 1]
                step(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any

            def log_message(self, *args: object) -> None:
                """Keep the tests' output clean."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        if not opens_after:
            self._server.server_activate()
        threading.Thread(target=self._serve, args=(opens_after,), daemon=True).start()

    def _serve(self, opens_after: float) -> None:
        if opens_after:
            time.sleep(opens_after)
            self._server.server_activate()
        self._server.serve_forever(0.05)

    def first(self) -> Received:
        """The first request; the client may have given up before the server got to it."""
        deadline = time.monotonic() + 60
        while not self.received:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return self.received[0]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Steps:
    """What a misbehaving server can do with a request."""

    @staticmethod
    def answer(status: int, body: object = None, content_type: str = "application/json", **headers: str) -> Step:
        """Answer like this; a header Retry_After is sent as Retry-After."""
        content = body.encode() if isinstance(body, str) else b"" if body is None else json.dumps(body).encode()

        def step(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            handler.send_header("Content-Type", content_type)
            handler.send_header("Content-Length", str(len(content)))
            for name, value in {"X_Request_ID": "from-the-server", **headers}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(content)

        return step

    @classmethod
    def refuse(cls, status: int, error: str = "Error", details: object = None, **headers: str) -> Step:
        """Answer in the service's error shape."""
        body = {
            "error": error,
            "message": f"The service says {status}.",
            "details": details,
            "timestamp": "2025-01-01T00:00:00+00:00",
            "request_id": "from-the-server",
        }
        return cls.answer(status, body, **headers)

    @staticmethod
    def reset(handler: BaseHTTPRequestHandler) -> None:
        """Break the connection without an answer."""
        linger = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        os.close(handler.connection.detach())
        handler.close_connection = True

    @staticmethod
    def silence(handler: BaseHTTPRequestHandler) -> None:
        """Take the request and say nothing for longer than a test waits."""
        time.sleep(3)
        handler.close_connection = True

    @staticmethod
    def cut_with_length(handler: BaseHTTPRequestHandler) -> None:
        """Announce more than is sent."""
        handler.send_response(201)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"session_id": "s1",')
        handler.close_connection = True

    @staticmethod
    def cut_without_length(handler: BaseHTTPRequestHandler) -> None:
        """Close in the middle of an answer that has announced no length."""
        handler.send_response(201)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(b'{"session_id": "s1",')
        handler.close_connection = True

    @staticmethod
    def cut_between_chunks(handler: BaseHTTPRequestHandler) -> None:
        """Close before the last chunk."""
        handler.send_response(201)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b'5\r\n{"ses\r\n')
        handler.close_connection = True


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith("SESSION_BACKEND_") or name.lower().endswith("_proxy") or name.endswith("_CA_BUNDLE"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    """What another test has read is no help to this one."""
    cache.clear()


@pytest.fixture
def steps() -> type[Steps]:
    return Steps


@pytest.fixture
def serve() -> Iterator[Callable[..., Misbehaving]]:
    """Starts servers that take the given steps."""
    servers: list[Misbehaving] = []

    def start(*steps: Step, **options: Any) -> Misbehaving:
        servers.append(Misbehaving(*steps, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def closed_url() -> Iterator[str]:
    """A URL where nothing listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"
