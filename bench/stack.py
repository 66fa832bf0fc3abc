"""The service, and beside it the bare handlers, on the same PostgreSQL and under the same gunicorn settings."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from .stage import ROOT, free_port, stage, wait_until_ready


@dataclass(frozen=True)
class Stack:
    """By target, "service" and "bare": their ports and gunicorn's processes."""

    database_url: str
    key: str
    ports: dict[str, int]
    processes: dict[str, subprocess.Popen[bytes]]

    def memory(self, target: str) -> list[float]:
        """MiB that are resident in each worker of the target."""
        workers = psutil.Process(self.processes[target].pid).children()
        return [worker.memory_info().rss / 2**20 for worker in workers]


@contextmanager
def started() -> Iterator[Stack]:
    """With keys, validation, metrics and the access log on, as in production."""
    with stage() as place:
        port = free_port()
        bare = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "bench.bare:app"],
            cwd=ROOT,
            env={**place.environment, "API_PORT": str(port)},
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", bare, "/alive")
            ports = {"service": urlsplit(place.url).port or 80, "bare": port}
            yield Stack(place.database_url, place.api_key, ports, {"service": place.process, "bare": bare})
        finally:
            bare.terminate()
            bare.wait(30)
