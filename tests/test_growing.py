"""Four instances behind haproxy, killed at random under load: the history of every try is judged."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from time import sleep
from typing import Any

import psycopg2
import pytest
from sqlalchemy.engine import make_url

from faults import final, load, workers
from faults.checker import check
from faults.history import Reader
from faults.recorded import Target

from .balanced import EXAMPLE, Instance, balancing

SEED = 44
KILLS = 6


class Killable(Instance):
    """An instance that goes down with all its workers at once, as a machine does."""

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def instances(database_url: str, tmp_path: Path) -> Iterator[list[Killable]]:
    with ExitStack() as cleanup:
        instances = [Killable(database_url, tmp_path / f"log-{number}", API_WORKERS="1") for number in range(4)]
        for instance in instances:
            instance.start()
            cleanup.callback(instance.kill)
        yield instances


@pytest.fixture
def url(haproxy: str, instances: list[Killable], tmp_path: Path) -> Iterator[str]:
    """haproxy as examples/haproxy.cfg has it, with two servers more."""
    more = enumerate(instances[2:])
    servers = "".join(f"    server more-{number} {instance.address}\n" for number, instance in more)
    configuration = tmp_path / "haproxy.cfg"
    configuration.write_text(EXAMPLE.read_text() + servers)
    with balancing(haproxy, configuration, instances, tmp_path / "haproxy") as url:
        yield url


def test_killed_at_random_they_lose_double_and_mix_up_nothing(
    url: str, instances: list[Killable], database_url: str, tmp_path: Path
) -> None:
    random = Random(SEED)
    history = tmp_path / "history.jsonl"
    history.touch()
    with load.running(Target(url, url), SEED, history):
        for _ in range(KILLS):
            sleep(random.random())
            instance = random.choice(instances)
            instance.kill()
            sleep(random.random())
            instance.start()
        sleep(1)
    reader = Reader(history)
    reader.read()
    prefix = workers.session_id(SEED, 0)[:-1]
    connection = psycopg2.connect(make_url(database_url).set(drivername="postgresql").render_as_string(False))

    def rows(query: str) -> list[tuple[Any, ...]]:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    api = final.through_api(url, prefix)
    sql = final.by_sql(rows, prefix)
    connection.close()
    broken = check(reader.attempts, api, sql)

    # haproxy answers 502 where an instance dies before it has answered; whether the work was done, nobody knows then.
    assert [] == [violation for violation in broken if not violation.seen.startswith("502 ")]
    acknowledged = [attempt for attempt in reader.attempts if attempt.writes and attempt.outcome == "ok"]
    assert 200 < len(acknowledged)
    assert {attempt.status for attempt in acknowledged} <= {200, 201, 204, 404, 409, None}
