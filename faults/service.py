"""The real service under gunicorn, and a supervisor that starts it again whenever it ends."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import psutil
import requests

from session_api.config import Settings

from .postgres import free_port

ROOT = Path(__file__).parent.parent
WORKERS = 2
_SETTINGS = [name.upper() for name in Settings.__dataclass_fields__]


def service_environment(database_url: str) -> dict[str, str]:
    """What the service and its commands run with, whatever is set outside; as in production, they ask for keys."""
    outside = {name: value for name, value in os.environ.items() if name not in _SETTINGS}
    own = {"DATABASE_URL": database_url, "API_KEY_SECRET": secrets.token_urlsafe(32), "LOG_LEVEL": "WARNING"}
    return {**outside, **own}


class Service:
    """gunicorn with several workers."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.log = directory / "service.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.starts = 0
        self._environment = environment | {
            "DATABASE_POOL_SIZE": "4",  # below what the load asks for at once, so that it can be exhausted
            "DATABASE_MAX_OVERFLOW": "0",
            "API_PORT": str(self.port),
            "API_WORKERS": str(WORKERS),
        }
        self._wanted = threading.Event()

    def start(self) -> None:
        """Return when it lives; whether its database is there does not matter."""
        self._launch()
        self._wanted.set()
        threading.Thread(target=self._supervise, daemon=True).start()
        try:
            self.wait_until("/health/live")
        except RuntimeError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it in order."""
        self._wanted.clear()
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """To the master."""
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    def workers(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return sorted(psutil.Process(self._process.pid).children(), key=lambda process: process.pid)
        return []

    def wait_until(self, probe: str, seconds: float = 60) -> None:
        """Return when the probe is answered with 200."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            with suppress(requests.RequestException):
                if requests.get(f"{self.url}{probe}", timeout=5).ok:
                    return
            sleep(0.05)
        raise RuntimeError(f"{probe} was not answered:\n{self.log.read_text()[-4000:]}")

    def _launch(self) -> None:
        self.starts += 1
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "wsgi:app"],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _supervise(self) -> None:
        while True:
            process = self._process
            process.wait()
            if not self._wanted.is_set() or self._process is not process:
                return
            self._launch()
