"""A relay that is as far from the service as a network: `python -m bench.relay PORT MILLISECONDS`."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from queue import SimpleQueue
from time import monotonic, sleep


def relay(port: int, seconds: float) -> None:
    """Print the port that leads to the other one, and pass on what comes, `seconds` late in all there and back."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            for source, target in ((near, far), (far, near)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=_pass, args=(source, target, seconds / 2), daemon=True).start()


def _pass(source: socket.socket, target: socket.socket, seconds: float) -> None:
    on_the_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
    threading.Thread(target=_deliver, args=(on_the_way, target), daemon=True).start()
    with suppress(OSError):
        while data := source.recv(65536):
            on_the_way.put((monotonic() + seconds, data))
    on_the_way.put((monotonic(), b""))


def _deliver(on_the_way: SimpleQueue[tuple[float, bytes]], target: socket.socket) -> None:
    with suppress(OSError):
        while True:
            due, data = on_the_way.get()
            sleep(max(due - monotonic(), 0))
            if not data:
                target.shutdown(socket.SHUT_RDWR)
                return
            target.sendall(data)


if __name__ == "__main__":
    relay(int(sys.argv[1]), float(sys.argv[2]) / 1000)
