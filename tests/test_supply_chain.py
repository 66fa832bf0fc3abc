"""What the service is made of: locked by hash, audited, listed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from session_api.version import __version__

from .conftest import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PACKAGE = re.compile(r"([a-z0-9][a-z0-9.-]*)==([^ ]+)(?: ; .+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
TODAY = datetime.now(timezone.utc).date()


def locked(file: Path) -> set[tuple[str, str]]:
    return set(PACKAGE.findall(file.read_text()))


# Locks


@pytest.mark.parametrize("file", LOCKS, ids=lambda file: file.name)
def test_every_locked_package_has_one_version_and_its_hashes_and_no_index_is_named(file: Path) -> None:
    """Where packages come from is the business of each machine; that they are the right ones is the hashes'."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]

    assert lines
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        assert PACKAGE.fullmatch(line) or HASH.fullmatch(line), line
        assert line.endswith("\\") == bool(HASH.fullmatch(following)), line
    assert "://" not in file.read_text()


def test_whatever_is_installed_is_locked() -> None:
    """The image, `make run` and `make test` install nothing by a name alone."""
    written = "".join((ROOT / name).read_text() for name in ("Makefile", "Dockerfile", ".ci/run"))
    commands = re.split(r"&&|\n", written.replace("\\\n", " "))
    installing = [command for command in commands if re.search(r"(pip|PIP\)) (install|wheel)", command)]

    assert installing
    assert [] == [command for command in installing if not re.search("--require-hashes|--no-deps|--no-index", command)]


# Audit


class Database:
    """What OSV answers, spoken on a socket; `known` is what it knows, by name and version."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.known: dict[tuple[str, str], dict[str, Any]] = {}
        database = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                package = (query["package"]["name"], query["version"])
                database.asked.append(package)
                answer = {"vulns": [database.known[package]]} if package in database.known else {}
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Keep the tests' output clean."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1/query"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def knows(self, name: str, version: str, vulnerability: str, fixed: str) -> None:
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]
        affected = [{"package": {"name": name, "ecosystem": "PyPI"}, "ranges": ranges}]
        self.known[name, version] = {"id": vulnerability, "aliases": ["CVE-2030-1"], "affected": affected}


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database()
    yield database
    database.server.shutdown()
    database.server.server_close()


Audit = Callable[..., tuple[int, str]]


@pytest.fixture
def audit(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Audit:
    """The exit code and the output of an audit of these packages, or of what is locked, with this ignore list."""
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", database.url)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)

    def run(packages: str | None = None, ignored: str = "", *options: str) -> tuple[int, str]:
        (tmp_path / "ignored").write_text(ignored)
        command = [sys.executable, str(ROOT / ".ci" / "audit.py"), f"--ignored={tmp_path / 'ignored'}", *options]
        if packages is not None:
            lock = tmp_path / "lock.txt"
            lock.write_text("".join(f"{package} \\\n    --hash=sha256:{'0' * 64}\n" for package in packages.split(",")))
            command.append(str(lock))
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert "Traceback" not in ended.stderr
        return ended.returncode, ended.stdout + ended.stderr

    return run


def test_every_locked_version_is_asked_for_whichever_python_it_is_for(audit: Audit, database: Database) -> None:
    code, output = audit()

    every = set().union(*map(locked, LOCKS))
    assert (0, every) == (code, set(database.asked))
    assert f"{len(every)} locked packages, 0 known vulnerabilities." in output


def test_a_known_vulnerability_fails_the_audit_and_is_named_with_what_fixes_it(
    audit: Audit, database: Database
) -> None:
    database.knows("jinja2", "2.10", "PYSEC-2030-7", "2.10.1")

    code, output = audit("flask==3.1.3,jinja2==2.10 ; python_full_version < '3.11',jinja2==3.1.6")

    assert 1 == code
    assert "jinja2 2.10: PYSEC-2030-7, fixed in 2.10.1\n3 locked packages, 1 known vulnerabilities." in output


@pytest.mark.parametrize("name", ["PYSEC-2030-7", "CVE-2030-1"])
def test_one_that_is_ignored_until_a_day_to_come_does_not(audit: Audit, database: Database, name: str) -> None:
    database.knows("jinja2", "2.10", "PYSEC-2030-7", "2.10.1")
    until = TODAY + timedelta(days=1)

    code, output = audit("jinja2==2.10", f"# why\n\n{name} {until} no template is a stranger's\n")

    assert 0 == code
    assert f"Ignored until {until}: {name}, no template is a stranger's" in output


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"PYSEC-2030-7 {TODAY - timedelta(days=1)} some reason", "was to be looked at again by"),
        (f"PYSEC-2030-7 {TODAY}", "is not of the form"),
        ("PYSEC-2030-7 some reason", "is not of the form"),
        ("PYSEC-2030-7 2030-13-01 some reason", "month must be in 1..12"),
    ],
)
def test_an_ignored_one_past_its_day_or_without_day_or_reason_fails_the_audit(
    audit: Audit, line: str, told: str
) -> None:
    code, output = audit("flask==3.1.3", line)

    assert 1 == code
    assert told in output


@pytest.mark.parametrize(("options", "expected"), [([], 3), (["--allow-unreachable"], 0)])
def test_nobody_to_ask_is_told_apart_from_nothing_to_find(
    audit: Audit, database: Database, options: list[str], expected: int
) -> None:
    database.server.shutdown()
    database.server.server_close()

    code, output = audit("flask==3.1.3", "", *options)

    assert expected == code
    assert "*** NOT AUDITED ***" in output
    assert "0 known" not in output


def test_a_finding_counts_even_when_the_next_question_gets_no_answer(audit: Audit, database: Database) -> None:
    database.knows("jinja2", "2.10", "PYSEC-2030-7", "2.10.1")
    database.known["jinja2", "2.11"] = {"id": "no vulnerability at all", "schema_version": "none"}

    code, output = audit("jinja2==2.10,jinja2==2.11", "", "--allow-unreachable")

    assert 1 == code
    assert "PYSEC-2030-7" in output
    assert "*** NOT AUDITED ***" in output


def test_nothing_on_the_list_that_is_kept_is_past_its_day(audit: Audit) -> None:
    code, _ = audit("flask==3.1.3", (ROOT / "requirements" / "audit.ignored").read_text())

    assert 0 == code


# Bill of materials


def test_the_bill_of_materials_is_valid_whole_and_the_same_every_time() -> None:
    written = [make_sbom() for _ in range(2)]
    listed = json.loads(written[0])

    assert written[0] == written[1]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written[0]) is None
    assert ("strands-session-api", __version__) == tuple(
        listed["metadata"]["component"][key] for key in ("name", "version")
    )
    assert locked(ROOT / "requirements" / "service.txt") == {
        (part["name"], part["version"]) for part in listed["components"]
    }
    assert all(part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}" for part in listed["components"])
    assert not {"serialNumber", "timestamp"} & {*listed, *listed["metadata"]}


def make_sbom() -> str:
    # With the environment that runs this test, as it is.
    command = ["make", "--silent", "sbom", f"VENV={sys.prefix}", f"--old-file={sys.prefix}/.dev"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert "dist/sbom.json\n" == made.stdout
    return (ROOT / "dist" / "sbom.json").read_text()
