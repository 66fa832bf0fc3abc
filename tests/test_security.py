"""docs/security.md promises nothing that no test shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| ") and "Attack" not in line]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip())
def test_every_defence_is_somewhere_and_a_test_shows_it(row: list[str]) -> None:
    attack, defence, where, shown_by = row

    assert attack.strip()
    assert defence.strip()
    assert named(where)
    assert [] == [place for place in named(where) if not exists(place)]
    assert named(shown_by)
    assert [] == [test for test in named(shown_by) if not is_a_test(test)]


def exists(place: str) -> bool:
    if place.startswith("client/…/"):
        return (ROOT / "client" / "strands_session_client" / place.removeprefix("client/…/")).exists()
    parents = (ROOT, ROOT / "session_api", ROOT / "client" / "strands_session_client")
    return any((parent / place).exists() for parent in parents)


def is_a_test(name: str) -> bool:
    file, _, function = name.partition("::")
    path = ROOT / "tests" / file
    return path.exists() and bool(re.search(rf"^def {re.escape(function)}\(", path.read_text(), re.MULTILINE))


def test_every_setting_that_is_named_is_one() -> None:
    documented = Path(ROOT / "docs" / "configuration.md").read_text()

    assert [] == [
        name for name in set(re.findall(r"`([A-Z]+_[A-Z_]+)(?:=\w+)?`", PAGE)) if f"| `{name}`" not in documented
    ]
