"""Whatever goes wrong on the way to PostgreSQL, and in whatever order: work is done once, or the answer is true."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.engine import Connection

from faults.proxy import Proxy, refusing, to_database
from session_api.config import Settings
from session_api.db import Database
from session_api.errors import DatabaseUnavailable
from session_api.models import AgentKey, MessageKey
from session_api.store import messages
from session_api.store.pages import Page
from session_api.strict_json import Document

from ..conftest import AGENT, make_settings, new_id


class Fault(NamedTuple):
    """What docs/reliability.md says of it: `tries` is None for as many as RETRY_ATTEMPTS."""

    tries: int | None
    lost: bool = False


# By what happens to the link or, below, by the SQLSTATE that PostgreSQL raises.
LINK = {"refused": Fault(None), "cut before": Fault(2, lost=True), "cut after": Fault(2, lost=True)}
FAULTS = {
    **LINK,
    "40001": Fault(None), "40P01": Fault(None), "40003": Fault(2, lost=True), "08007": Fault(2, lost=True),
    "57P01": Fault(2, lost=True), "08006": Fault(2), "25006": Fault(2), "55P03": Fault(2), "53200": Fault(2),
    "53100": Fault(1), "53300": Fault(1), "57014": Fault(1), "42P01": Fault(1),
}  # fmt: skip
PATIENT = sorted(name for name, fault in FAULTS.items() if fault.tries is None)
OPENS_THE_BREAKER = 5

patient = st.lists(st.sampled_from(PATIENT), max_size=7)
any_one = st.sampled_from(sorted(LINK)) | st.sampled_from(sorted(FAULTS))
# A fault that allows two tries may come first only, one that allows a single try not at all.
sequences = st.one_of(
    st.tuples(any_one, patient).map(lambda drawn: [drawn[0], *drawn[1]]),
    st.tuples(patient, any_one).map(lambda drawn: [*drawn[0], drawn[1]]),
    st.lists(any_one, max_size=3),
)


@st.composite
def backoffs(draw: st.DrawFn, attempts: st.SearchStrategy[int]) -> dict[str, Any]:
    high = draw(st.floats(0.0001, 0.004))
    low = draw(st.just(0.0) | st.floats(0.0001, high))
    return {
        "retry_attempts": draw(attempts),
        "retry_backoff_min": low,
        "retry_backoff_max": high,
        "retry_backoff_multiplier": draw(st.floats(1, 10)),
    }


PLAIN = {"retry_attempts": 4, "retry_backoff_min": 0.0, "retry_backoff_max": 0.001}


class Troubled:
    """The way to the database on which each try meets the next of the faults; after the last one all is well."""

    def __init__(self, database_url: str) -> None:
        self._connect = to_database(database_url)
        self._proxy = Proxy(self._open)
        # One connection for each try to connect: without this, libpq asks for encryption on another one first.
        self.url = f"{self._proxy.url(database_url)}?sslmode=disable&gssencmode=disable"
        self.begin([])

    def begin(self, faults: list[str]) -> None:
        self._ahead = list(faults)
        self.met: list[str] = []
        self._proxy.cut_requests(0)
        self._proxy.cut_answers(0)

    def meeting_faults(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        """The operation, run in the way of the next fault."""

        def run(tx: Connection, *arguments: Any) -> Any:
            fault = self._next() if self._ahead else None
            if fault in ("refused", "cut before"):  # a connection that is there can't be refused any more
                self.met[-1] = "cut before"
                self._proxy.cut_requests()
            elif fault == "cut after":
                self._proxy.cut_answers()
            elif fault:
                tx.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{fault}'; END $$"))
            return operation(tx, *arguments)

        return run

    def close(self) -> None:
        self._proxy.close()

    def _open(self) -> socket.socket:
        if self._ahead and self._ahead[0] == "refused":
            self._next()
            raise ConnectionRefusedError
        return self._connect()

    def _next(self) -> str:
        self.met.append(self._ahead.pop(0))
        return self.met[-1]


@pytest.fixture
def troubled(database_url: str) -> Iterator[Troubled]:
    troubled = Troubled(database_url)
    yield troubled
    troubled.close()


class Work(NamedTuple):
    """An operation on a message, what was stored before and what is to be stored afterwards."""

    operation: Callable[..., Any]
    arguments: tuple[Any, ...]
    before: list[bytes]
    after: list[bytes]


NO_TIMES = {"created_at": None, "updated_at": None}
WORKS = (
    Work(
        messages.append, ({"message": Document(b'{"new":1}'), "redact_message": None, **NO_TIMES},), [], [b'{"new":1}']
    ),
    Work(messages.update, ({"message": Document(b'{"new":1}')},), [b'{"old":1}'], [b'{"new":1}']),
    Work(messages.delete, (), [b'{"old":1}'], []),
)


def expected(met: list[str], attempts: int) -> bool:
    """Whether the work gets done after these faults; no more of them may have been met than tries are allowed."""
    for number, name in enumerate(met, 1):
        refused = met[:number][-OPENS_THE_BREAKER:] == OPENS_THE_BREAKER * ["refused"]
        if number >= (FAULTS[name].tries or attempts) or refused:
            assert number == len(met)
            return False
    return True


def bounds(settings: Settings, count: int) -> list[float]:
    """What each of the first waits may last at most."""
    first = settings.retry_backoff_min or 0.001
    return [min(settings.retry_backoff_max, first * settings.retry_backoff_multiplier**n) for n in range(count)]


def waits_of(database: Database) -> list[float]:
    """The waits between tries from here on."""
    waits: list[float] = []
    database.retries.retrying.before_sleep = lambda state: waits.append(state.upcoming_sleep)
    return waits


@settings(max_examples=150)
@example(["cut after"], WORKS[0], PLAIN, True, 0)
@example(["cut after"], WORKS[1], PLAIN, True, 0)
@example(["cut after"], WORKS[2], PLAIN, True, 0)
@example(["cut after", "refused", "refused"], WORKS[0], PLAIN, True, 0)
@given(
    faults=sequences,
    work=st.sampled_from(WORKS),
    changes=backoffs(st.integers(1, 8)),
    reads_first=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_property_17_retries_do_the_work_once_or_say_truly_whether_it_was_done(
    client: Any,
    db: Database,
    troubled: Troubled,
    faults: list[str],
    work: Work,
    changes: Any,
    reads_first: bool,
    seed: int,
) -> None:
    """Feature: session-backend-api, Property 17: Retries with backoff"""
    random.seed(seed)
    key = _new_agent(client, db, work.before)
    chosen = make_settings(troubled.url, database_pool_size=1, database_max_overflow=0, **changes)
    database = Database(chosen)
    troubled.begin([])
    if reads_first:
        database.read(messages.list_, key, Page())
    waits = waits_of(database)
    troubled.begin(faults)

    try:
        done = database.run(troubled.meeting_faults(work.operation), MessageKey(*key, 0), *work.arguments)
        applied: Any = True
    except DatabaseUnavailable as error:
        done, applied = None, (error.details or {})["applied"]
    database.dispose()
    stored = [row.message for row in db.read(messages.list_, key, Page()).rows]

    lost = any(FAULTS[name].lost for name in troubled.met)
    if expected(troubled.met, chosen.retry_attempts):
        assert (True, work.after, faults) == (applied, stored, _as_met(faults, troubled.met))
        assert work.after == ([done.message] if done else [])
        assert len(troubled.met) == len(waits)
    else:
        assert ("unknown" if lost else False) == applied
        assert (work.after if "cut after" in troubled.met else work.before) == stored
        assert len(troubled.met) - 1 <= len(waits) <= len(troubled.met)
    assert all(0 <= wait <= bound for wait, bound in zip(waits, bounds(chosen, len(waits)), strict=True))


def _as_met(faults: list[str], met: list[str]) -> list[str]:
    """The faults, if these are the ones that were met: one that could not refuse a connection cut it."""
    assert len(met) == len(faults)
    assert all(
        one == other or (one, other) == ("refused", "cut before") for one, other in zip(faults, met, strict=True)
    )
    return faults


def _new_agent(client: FlaskClient, db: Database, stored: list[bytes]) -> AgentKey:
    key = AgentKey("default", new_id(), "assistant")
    assert client.post("/api/v1/sessions", json={"session_id": key.session_id}).status_code == 201
    assert client.post(f"/api/v1/sessions/{key.session_id}/agents", json=AGENT).status_code == 201
    for message in stored:
        db.run(messages.append, MessageKey(*key, 0), {"message": Document(message), "redact_message": None, **NO_TIMES})
    return key


@settings(max_examples=100)
@given(changes=backoffs(st.integers(3, 5)), seed=st.integers(0, 2**32))
def test_property_17_waits_grow_up_to_their_bounds_and_are_never_the_same(changes: dict[str, Any], seed: int) -> None:
    """Feature: session-backend-api, Property 17: Retries with backoff"""
    random.seed(seed)
    hangs_up = refusing()
    url = f"postgresql+psycopg2://u@127.0.0.1:{hangs_up.port}/d?sslmode=disable&gssencmode=disable"
    chosen = make_settings(url, **changes)
    runs = []
    for _ in range(2):
        database = Database(chosen)
        runs.append(waits_of(database))
        with pytest.raises(DatabaseUnavailable):
            database.read(messages.read, MessageKey("t", "s", "a", 0))
    hangs_up.close()

    for waits in runs:
        assert chosen.retry_attempts - 1 == len(waits)
        assert all(0 <= wait <= bound for wait, bound in zip(waits, bounds(chosen, len(waits)), strict=True))
    assert set(runs[0]).isdisjoint(runs[1])
    assert 2 * chosen.retry_attempts == hangs_up.accepted
