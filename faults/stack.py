"""Everything that a run needs: database, service, and a proxy on every link between them and the clients."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from .disk import Disk
from .postgres import Postgres
from .proxy import Proxy, to_database, to_port
from .service import ROOT, Service


@dataclass(frozen=True)
class Stack:
    """`database_link` lies between the service and its database, `agents_link` and `raw_link` between the two kinds
    of clients and the service.
    """

    disk: Disk
    postgres: Postgres
    service: Service
    database_link: Proxy
    agents_link: Proxy
    raw_link: Proxy

    @property
    def client_links(self) -> list[Proxy]:
        return [self.agents_link, self.raw_link]


@contextmanager
def running(logs: Path) -> Iterator[Stack]:
    """A stack of its own, started, migrated and ready; nothing of it is left afterwards but the logs."""
    with ExitStack() as cleanup:
        directory = Path(
            cleanup.enter_context(tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True))
        )
        disk = Disk(directory / "disk")
        cleanup.callback(disk.close)
        postgres = Postgres(directory, logs / "postgresql.log")
        postgres.start()
        cleanup.callback(postgres.stop)
        _make_database(postgres, disk)
        database_link = Proxy(to_database(postgres.url))
        cleanup.callback(database_link.close)
        service = Service(logs, database_link.url(postgres.url))
        service.start()
        cleanup.callback(service.stop)
        service.wait_until("/health/ready")
        links = [Proxy(to_port(service.port)) for _ in range(2)]
        for link in links:
            cleanup.callback(link.close)
        yield Stack(disk, postgres, service, database_link, *links)


def _make_database(postgres: Postgres, disk: Disk) -> None:
    """With the schema of the migrations, on the disk that can be full where there is one."""
    tablespace = ""
    if disk.obstacle is None:
        postgres.own(disk.path)
        postgres.execute(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
        tablespace = " TABLESPACE small"
    postgres.execute(f"CREATE DATABASE faults{tablespace}")
    postgres.database = "faults"
    environment = {**os.environ, "DATABASE_URL": postgres.url, "LOG_LEVEL": "WARNING"}
    subprocess.run([sys.executable, "-m", "flask", "db", "upgrade"], cwd=ROOT, env=environment, check=True)
