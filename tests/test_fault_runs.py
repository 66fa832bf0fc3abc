"""The parts of a fault run that decide: the schedule, the figures, the rules that no mutant breaks, the proxy."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread

import pytest

from faults.checker import check
from faults.faults import FAULTS
from faults.final import Api, Sql
from faults.history import FAILED, OK, UNKNOWN, Attempt
from faults.measure import recovery
from faults.outage import Load
from faults.proxy import Proxy, to_port
from faults.schedule import KINDS, PARTS, plan
from faults.workers import PROCESSES

KEY = "sessions/a/agents/b"
PUT = Attempt(1, 0, "raw", None, False, "PUT agent", KEY, "one", 1.0, 2.0, OK, 200)
GET = replace(PUT, operation="GET agent", start=3.0, end=4.0)


def rules(*history: Attempt, **rows: str) -> set[str]:
    """The rules that are broken when this is what there is at the end."""
    there = [(KEY, value) for value in rows.values()]
    api = Api(lists={"sessions/a/agents": there}, totals={"sessions/a/agents": len(there)})
    return {violation.rule for violation in check(history, api, Sql(there, [], 0))}


def test_a_seed_replays_its_schedule() -> None:
    assert plan(7, "long") == plan(7, "long") != plan(8, "long")


def test_three_short_runs_in_a_row_have_every_fault_and_a_usual_one_has_each_once() -> None:
    short = Counter(step.kind for seed in range(5, 5 + PARTS) for step in plan(seed, "short"))

    assert set(FAULTS) == set(KINDS) == set(short)
    assert Counter(FAULTS.keys()) == short == Counter(step.kind for step in plan(5, "usual"))


def test_a_long_run_has_fifty_crashes() -> None:
    assert 50 == sum(step.kind.endswith(" killed") for step in plan(1, "long"))


def test_what_was_written_last_may_be_read_and_may_be_there() -> None:
    assert set() == rules(PUT, GET, end="one")


@pytest.mark.parametrize("there", [{}, {"end": "one"}])
def test_a_write_with_an_unknown_outcome_may_be_either_way(there: dict[str, str]) -> None:
    assert set() == rules(replace(PUT, outcome=UNKNOWN, status=None), **there)


@pytest.mark.parametrize(
    ("history", "there", "rule"),
    [
        ([PUT], {}, "lost acknowledgement"),
        ([PUT, replace(PUT, sha256="two", start=3.0, end=4.0)], {"end": "one"}, "lost update"),
        ([PUT], {"end": "two"}, "torn document"),
        ([], {"end": "one"}, "phantom"),
        ([replace(PUT, outcome=FAILED, status=503, applied=False)], {"end": "one"}, "applied, but said not to be"),
        ([PUT, replace(GET, start=0.1, end=0.2)], {"end": "one"}, "read from the future"),
        ([PUT, replace(GET, sha256=None, status=404, missing=KEY)], {"end": "one"}, "stale read"),
        # A value that was seen counts as written, whatever its own request heard.
        (
            [PUT, replace(PUT, sha256="two", outcome=UNKNOWN, start=2.5), replace(GET, sha256="two"),
             replace(GET, start=5.0, end=6.0)],
            {"end": "two"}, "stale read",
        ),
        ([replace(PUT, outcome=FAILED, status=400)], {}, "unexpected answer"),
        ([replace(PUT, outcome=UNKNOWN, status=500)], {}, "answer 500"),
        ([replace(PUT, base="zero"), replace(PUT, base="zero", sha256="two")], {"end": "two"}, "lost update"),
    ],
)  # fmt: skip
def test_a_broken_promise_is_named(history: list[Attempt], there: dict[str, str], rule: str) -> None:
    assert {rule} == rules(*history, **there)


def test_orphans_open_transactions_and_wrong_totals_are_found() -> None:
    api = Api(lists={"sessions": []}, totals={"sessions": 1})

    found = [violation.rule for violation in check([], api, Sql([], ["agent of a"], 2))]

    assert ["pages", "orphan", "idle in transaction"] == found


def test_a_fault_is_over_when_every_process_writes_again_and_nothing_fails_any_more() -> None:
    writes = [replace(PUT, process=process, start=10.5, end=11.0 + process) for process in range(PROCESSES)]
    failure = replace(PUT, outcome=FAILED, status=503, start=12.0, end=19.0)

    assert recovery(writes[1:], end=10.0) is None
    assert PROCESSES == recovery(writes, end=10.0)
    assert 9.0 == recovery([*writes, failure], end=10.0)
    assert PROCESSES == recovery([*writes, replace(failure, start=9.9)], end=10.0)


@pytest.mark.parametrize(
    ("during", "after", "tries_after", "is_bounded"),
    [
        (10.0, 100.0, 1.0, True),
        (121.0, 100.0, 1.0, False),
        (10.0, 130.0, 1.3, False),
        (10.0, 130.0, 1.0, True),  # more calls, not more tries
    ],
)
def test_an_outage_must_not_make_clients_ask_more_often(
    during: float, after: float, tries_after: float, is_bounded: bool
) -> None:
    assert is_bounded == Load(100.0, during, after, 1.0, tries_after).is_bounded


@pytest.fixture
def echo() -> Iterator[Proxy]:
    """In front of a server that gives back what it got."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):  # who was cut off gets no answer
            while data := connection.recv(1024):
                received.put(data)
                connection.sendall(data)

    received: SimpleQueue[bytes] = SimpleQueue()
    listener = socket.create_server(("127.0.0.1", 0))
    Thread(target=serve, daemon=True).start()
    proxy = Proxy(to_port(listener.getsockname()[1]))
    proxy.received = received  # type: ignore[attr-defined]
    yield proxy
    proxy.close()
    listener.close()


def ask(proxy: Proxy) -> bytes:
    with socket.create_connection(("127.0.0.1", proxy.port), 30) as connection:
        connection.sendall(b"question")
        return connection.recv(1024)


@pytest.mark.parametrize(
    ("cut", "received"),
    [(Proxy.cut_requests, []), (Proxy.cut_halves, [b"ques"]), (Proxy.cut_answers, [b"question"])],
)
def test_the_proxy_cuts_before_within_and_after(echo: Proxy, cut, received: list[bytes]) -> None:
    cut(echo)

    assert b"" == ask(echo)
    assert b"question" == ask(echo)
    expected = [*received, b"question"]
    assert expected == sorted((echo.received.get(timeout=30) for _ in expected), key=len)
    assert echo.received.empty()


def test_the_goodbye_of_another_connection_is_not_what_the_proxy_cuts(echo: Proxy) -> None:
    goodbye = b"X\x00\x00\x00\x04"
    with socket.create_connection(("127.0.0.1", echo.port), 5) as connection:
        echo.cut_requests()
        connection.sendall(goodbye)

        assert goodbye == connection.recv(1024)
        assert b"" == ask(echo)


def test_the_proxy_resets_and_refuses_until_it_is_calm(echo: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", echo.port), 30) as connection:
        connection.sendall(b"question")
        connection.recv(1024)
        echo.reset()
        with pytest.raises(ConnectionResetError):
            connection.recv(1024)
    echo.refuses = True
    with pytest.raises(ConnectionResetError):
        ask(echo)

    echo.calm()

    assert b"question" == ask(echo)
