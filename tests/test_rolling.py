"""Two instances behind haproxy: one is restarted, then the other, and nobody notices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .balanced import EXAMPLE, Caller, Instance, assert_nothing_was_noticed, balancing, calling, two_instances


@pytest.fixture
def instances(database_url: str, tmp_path: Path) -> Iterator[list[Instance]]:
    with two_instances(database_url, tmp_path) as instances:
        yield instances


@pytest.fixture
def callers(haproxy: str, instances: list[Instance], tmp_path: Path) -> Iterator[list[Caller]]:
    with balancing(haproxy, EXAMPLE, instances, tmp_path / "haproxy") as url, calling(url, 6) as callers:
        yield callers


def test_a_rolling_restart_is_not_noticed_even_by_callers_that_try_once(
    instances: list[Instance], callers: list[Caller]
) -> None:
    codes = []
    for instance in 2 * instances:
        codes.append(instance.stop())
        instance.start()

    assert [0, 0, 0, 0] == codes
    assert_nothing_was_noticed(callers)
