"""Everything that a run needs: database, service, and a proxy on every link between them and the clients."""

from __future__ import annotations

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
from .recorded import Target
from .service import ROOT, Service, service_environment


@dataclass(frozen=True)
class Stack:
    """`database_link` lies between the service and its database, `agents_link` and `raw_link` between the two kinds
    of clients and the service. `key` lets clients in.
    """

    disk: Disk
    postgres: Postgres
    service: Service
    database_link: Proxy
    agents_link: Proxy
    raw_link: Proxy
    key: str

    @property
    def client_links(self) -> list[Proxy]:
        return [self.agents_link, self.raw_link]

    @property
    def target(self) -> Target:
        agents, raw = (f"http://127.0.0.1:{link.port}" for link in self.client_links)
        return Target(agents, raw, self.key)


@contextmanager
def running(logs: Path) -> Iterator[Stack]:
    """A stack of its own, started, migrated and ready; nothing of it is left afterwards but the logs."""
    for log in ("postgresql.log", "service.log"):
        (logs / log).unlink(missing_ok=True)
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
        environment = service_environment(postgres.url)
        _flask(environment, "db", "upgrade")
        key = _flask(environment, "keys", "create", "--tenant", "default", "--name", "faults").strip()
        database_link = Proxy(to_database(postgres.url))
        cleanup.callback(database_link.close)
        service = Service(logs, environment | {"DATABASE_URL": database_link.url(postgres.url)})
        service.start()
        cleanup.callback(service.stop)
        service.wait_until("/health/ready")
        agents_link, raw_link = Proxy(to_port(service.port)), Proxy(to_port(service.port))
        cleanup.callback(agents_link.close)
        cleanup.callback(raw_link.close)
        yield Stack(disk, postgres, service, database_link, agents_link, raw_link, key)


def _make_database(postgres: Postgres, disk: Disk) -> None:
    """On the disk that can be full, where there is one."""
    tablespace = ""
    if disk.obstacle is None:
        postgres.own(disk.path)
        postgres.execute(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
        tablespace = " TABLESPACE small"
    postgres.execute(f"CREATE DATABASE faults{tablespace}")
    postgres.database = "faults"


def _flask(environment: dict[str, str], *command: str) -> str:
    """What a command of the service writes."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout
