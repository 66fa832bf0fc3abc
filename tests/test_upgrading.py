"""An upgrade to the next release and back, while agents go on: old and new code side by side on one schema."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep

import pytest
import requests
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection

from session_api.version import __version__

from .balanced import EXAMPLE, Caller, Instance, assert_nothing_was_noticed, balancing, calling, two_instances
from .conftest import ROOT
from .test_migrations import flask, run

# All that the rule lets a release do at once (docs/operations.md: expand, then contract).
EXPANSION = '''"""What a next release may add."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "next", "{head}", None, None


def upgrade() -> None:
    for table in ("sessions", "session_agents", "session_messages", "session_multi_agents", "api_keys"):
        op.add_column(table, sa.Column("added", sa.Text))
    op.create_index("ix_added", "session_messages", ["session_id", "added"])
    op.create_table("added", sa.Column("session_id", sa.Text, primary_key=True))
'''


@pytest.fixture
def next_release(tmp_path: Path) -> Path:
    """The code of a release that has one revision more, and says so."""
    code = tmp_path / "next"
    code.mkdir()
    for name in ("session_api", "migrations", "wsgi.py", "gunicorn.conf.py"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, code / name)
    (code / "session_api" / "version.py").write_text('__version__ = "next"\n')
    revisions = code / "migrations" / "versions"
    head = max(path.stem for path in revisions.glob("0*.py")).split("_")[0]
    (revisions / "9999_next.py").write_text(EXPANSION.format(head=head))
    return code


@pytest.fixture
def instances(fresh_url: str, tmp_path: Path) -> Iterator[list[Instance]]:
    run(fresh_url, "db", "upgrade")
    with two_instances(fresh_url, tmp_path, API_WORKERS="1") as instances:
        yield instances


@pytest.fixture
def callers(haproxy: str, instances: list[Instance], tmp_path: Path) -> Iterator[list[Caller]]:
    with balancing(haproxy, EXAMPLE, instances, tmp_path / "haproxy") as url, calling(url, 4) as callers:
        yield callers


def versions(instances: list[Instance]) -> list[str]:
    return [requests.get(f"http://{instance.address}/health/ready").json()["version"] for instance in instances]


def replace(instance: Instance, code: Path) -> None:
    instance.stop()
    instance.code = code
    instance.start()


def test_nobody_notices_an_upgrade_nor_the_way_back(
    instances: list[Instance], callers: list[Caller], next_release: Path, fresh_url: str
) -> None:
    seen = []
    for code in (next_release, ROOT):
        run(fresh_url, "db", "upgrade", code=code)
        for instance in instances:
            replace(instance, code)
            seen.append(versions(instances))

    new, old = "next", __version__
    assert [[new, old], [new, new], [old, new], [old, old]] == seen
    assert_nothing_was_noticed(callers)


WAITING = """
SELECT count(*) FROM pg_locks
WHERE relation = CAST(:name AS regclass) AND waitstart < now() - CAST(:seconds AS interval)
"""


def wait_for_a_waiter(watcher: Connection, name: str, seconds: str = "0") -> None:
    """Return when somebody has waited for a lock on the table for so long."""
    deadline = monotonic() + 60
    while not watcher.execute(text(WAITING), {"name": name, "seconds": seconds}).scalar():
        assert monotonic() < deadline
        sleep(0.05)


def test_an_upgrade_that_a_deadlock_with_a_request_ends_begins_again(next_release: Path, fresh_url: str) -> None:
    run(fresh_url, "db", "upgrade")
    engine = create_engine(fresh_url)
    with (
        ThreadPoolExecutor(1) as thread,
        engine.begin() as request,
        engine.connect() as other,
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as watcher,
    ):
        for each in (request, other):  # the role may have limits
            each.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
            each.exec_driver_sql("SET LOCAL lock_timeout = 0")
            each.exec_driver_sql("SET LOCAL statement_timeout = 0")
        request.exec_driver_sql("LOCK TABLE session_messages IN ROW EXCLUSIVE MODE")
        other.exec_driver_sql("LOCK TABLE session_agents IN ROW EXCLUSIVE MODE")
        upgrade = flask(fresh_url, "db", "upgrade", code=next_release)
        wait_for_a_waiter(watcher, "session_agents")  # the upgrade, which has locked the sessions
        asked = thread.submit(request.exec_driver_sql, "LOCK TABLE sessions IN ROW SHARE MODE")
        # Who waits looks for a deadlock once, after a second; when there is one, only the upgrade has not looked yet.
        wait_for_a_waiter(watcher, "sessions", "2 s")
        other.rollback()
        asked.result()
    output = upgrade.communicate(timeout=60)[0]
    with engine.connect() as connection:
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    engine.dispose()

    assert (0, "next") == (upgrade.returncode, revision), output
    assert "begins again" in output
