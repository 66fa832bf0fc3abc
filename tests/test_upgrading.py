"""An upgrade to the next release and back, while agents go on: old and new code side by side on one schema."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from session_api.version import __version__

from .balanced import EXAMPLE, Caller, Instance, assert_nothing_was_noticed, balancing, calling, two_instances
from .conftest import ROOT
from .test_migrations import run

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
