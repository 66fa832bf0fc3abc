"""gunicorn's gevent worker, made to stop without dropping requests and to give up on peers that never finish."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from signal import SIGTERM, signal
from socket import SHUT_RD
from time import monotonic
from typing import Any

import gevent
import structlog
from gevent import monkey
from gunicorn.workers.ggevent import GeventWorker
from werkzeug.exceptions import RequestTimeout

from . import call, watch

log = structlog.get_logger("session_api")

# A stopping worker goes on serving for so long, so that whoever balances the load learns of it before connections are
# refused; each answer then closes its connection.
LINGER_SECONDS = 1.0
# Between accepting the last connection and giving up those on which no request has come.
LAST_WORD_SECONDS = 0.3
# How long a body may take to arrive, and how long a client may leave an answer unread.
PEER_SECONDS = 60.0
# Of what nobody read of a body, so much is thrown away at a time.
PIECE_BYTES = 1024 * 1024


class Worker(GeventWorker):
    """A greenlet per connection, so that slow senders and idle connections cost some memory only."""

    wsgi: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections: dict[Any, Any] = {}  # by their greenlet
        self._idle: set[Any] = set()  # those that wait for a request
        self._stops = False

    def every_second(self) -> None:
        """For gunicorn's settings to replace."""

    def is_replaced(self) -> bool:
        """Whether another worker serves in its place, as after a reload; gunicorn's settings know."""
        return False

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._stops = True  # `_drain` does the rest: a signal handler must not switch greenlets

    def init_process(self) -> None:
        # A worker that is told to stop while it starts would not hear it: it has the master's handlers until gunicorn
        # replaces them, which takes gevent's patching and is too late.
        signal(SIGTERM, self.handle_exit)
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        application: Any = self.wsgi

        def bounded(environ: dict[str, Any], start_response: Any) -> Any:
            if self._stops:
                environ["session_api.stops"] = not self.is_replaced()
                start_response.__self__.force_close()
            if "CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ:
                environ["wsgi.input"] = _Body(environ["wsgi.input"])
            return application(environ, start_response)

        self.wsgi = bounded

    def run(self) -> None:
        gevent.spawn(self._drain)
        gevent.spawn(self._tick)
        super().run()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        greenlet = gevent.getcurrent()
        self._connections[greenlet] = client
        try:
            super().handle(listener, client, addr)
        finally:
            del self._connections[greenlet]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        sock.settimeout(PEER_SECONDS)
        try:
            result = super().handle_request(listener_name, req, sock, addr)
        except TimeoutError:  # of sending: a body that does not arrive is answered
            # gunicorn would call it an error, though nothing is wrong with the service.
            log.warning("answer not read in time", request_id=call.current().request_id, seconds=PEER_SECONDS)
            raise StopIteration from None  # which makes gunicorn close the connection
        sock.settimeout(None)
        req.body = _Rest(req.body)
        return result

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Around gunicorn's wait for the next request of a connection."""
        connection = self._connections[gevent.getcurrent()]
        self._idle.add(connection)
        try:
            with super().timeout_ctx():
                yield
        finally:
            self._idle.discard(connection)

    def _tick(self) -> None:
        while True:
            self.every_second()
            gevent.sleep(1)

    def _drain(self) -> None:
        """Stop a while after the signal, then close idle connections; as gunicorn comes, it refuses connections at once
        and idle ones hold it up until they time out.
        """
        while not self._stops:
            gevent.sleep(0.1)
        gevent.sleep(LINGER_SECONDS)
        self.alive = False
        while any(listener.fileno() >= 0 for listener in self.sockets):
            gevent.sleep(0.1)
        gevent.sleep(LAST_WORD_SECONDS)
        while True:
            for connection in list(self._idle):
                _end_of_stream(connection)
            gevent.sleep(0.1)


def _end_of_stream(connection: Any) -> None:
    """Let nothing more arrive; what has arrived is still read. gevent's own shutdown would break the reader off."""
    plain = monkey.get_original("socket", "socket")(fileno=connection.fileno())
    with suppress(OSError):
        plain.shutdown(SHUT_RD)
    plain.detach()


class _Body:
    """A request's body that must have arrived PEER_SECONDS after it was first read from."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._ends: float | None = None

    def read(self, *size: int) -> bytes:
        if self._ends is None:
            self._ends = monotonic() + PEER_SECONDS
        try:
            with watch.until(self._ends, RequestTimeout):
                data: bytes = self._stream.read(*size)
                return data
        except (RequestTimeout, TimeoutError):  # from a silent sender, the socket's own comes first
            self._stream.failed = True  # gunicorn must not look for another request behind this one
            raise RequestTimeout from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Rest:
    """What was not read of a request's body, as one that was refused; gunicorn throws it away before it waits again.

    It asks for a kilobyte, and each time moves all that has arrived: that would keep a worker busy with nothing else.
    """

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, _: int) -> bytes:
        data: bytes = self._body.read(PIECE_BYTES)
        if data:
            gevent.sleep(0)  # whoever sends fast is never waited for, so nobody else would have a turn
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)
