"""The checker of the fault runs is tested itself: on services that break a promise, and on one that keeps all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg2
import pytest
from flask import Flask
from sqlalchemy.engine import make_url
from werkzeug.serving import WSGIRequestHandler, make_server

from faults import final, load
from faults.checker import check
from faults.history import Reader, Recorder
from faults.recorded import Target
from faults.workers import Worker, session_id
from strands_session_client.errors import SessionRepositoryError

from .mutants import MUTANTS, Mutate, Pending

STEPS = 20
_seeds = count(1)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        pass


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def broken_promises(app: Flask, database_url: str, tmp_path: Path) -> Callable[[Pending], set[str]]:
    """The rules that a small run finds broken: two clients do all that those of a fault run do."""
    plain = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)

    def rows(query: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(plain)) as connection, connection.cursor() as cursor:
            connection.autocommit = True  # or the next query may see this one's transaction, not gone yet
            cursor.execute(query)
            return cursor.fetchall()

    def broken_promises(pending: Pending) -> set[str]:
        seed = next(_seeds)
        history = tmp_path / f"{seed}"
        recorder = Recorder(history)
        with served(app) as url:
            target = Target(url, url)
            workers = [worker for process in range(2) for worker in load.workers(target, seed, process, recorder)]
            with ThreadPoolExecutor(len(workers)) as threads:
                list(threads.map(steps, workers))
            for finish in pending:
                finish()
            api = final.through_api(url, session_id(seed, 0)[:-1])
            sql = final.by_sql(rows, session_id(seed, 0)[:-1])
        reader = Reader(history)
        return {violation.rule for violation in check(reader.read(), api, sql)}

    return broken_promises


def steps(worker: Worker) -> None:
    for _ in range(STEPS):
        with suppress(SessionRepositoryError):
            worker.step()


def test_every_mutant_is_caught_and_the_service_as_it_is_keeps_its_promises(
    broken_promises: Callable[[Pending], set[str]], database_url: str
) -> None:
    def found(mutate: Mutate) -> set[str]:
        pending: Pending = []
        with pytest.MonkeyPatch.context() as patch:
            mutate(patch, database_url, pending)
            return broken_promises(pending)

    as_it_is = broken_promises([])
    caught = {mutate.__name__: found(mutate) for mutate in MUTANTS}

    assert set() == as_it_is
    assert [] == [
        (mutate.__name__, caught[mutate.__name__])
        for mutate, rule in MUTANTS.items()
        if rule not in caught[mutate.__name__]
    ]
