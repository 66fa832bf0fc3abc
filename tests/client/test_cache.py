"""What was read is kept, used only when the service says that it is unchanged, and nobody else's."""

import json
import os
import threading
import uuid

import pytest
from strands.types.session import Session, SessionAgent, SessionType

from strands_session_client import (
    DatabaseConnectionError,
    PostgreSQLSessionManager,
    PostgreSQLSessionRepository,
    UnexpectedAnswerError,
    ValidationError,
    cache,
)

CLOCK = {"created_at": "2025-01-01T00:00:00+00:00", "updated_at": "2025-01-01T00:00:00+00:00"}


@pytest.fixture
def agents(steps):
    """Answers for one agent, by the mood that it is in and the tag that the answer has."""

    def answer(mood, tag, agent_id="a1"):
        states = {"state": {"mood": mood}, "conversation_manager_state": {}, "internal_state": {}}
        return steps.answer(200, {"agent_id": agent_id, **states, **CLOCK}, ETag=tag)

    return answer


@pytest.fixture
def unchanged(steps):
    return lambda tag: steps.answer(304, ETag=tag)


def conditions(server):
    return [request.headers["If-None-Match"] for request in server.received]


# Validation


def test_what_is_unchanged_does_not_travel_again(serve, agents, unchanged):
    server = serve(agents("good", '"v1"'), unchanged('"v1"'))
    repository = PostgreSQLSessionRepository(server.url)

    first = repository.read_agent("s1", "a1")
    second = repository.read_agent("s1", "a1")

    assert {"mood": "good"} == first.state
    assert first == second
    assert [None, '"v1"'] == conditions(server)


def test_what_changed_is_read_and_kept_instead(serve, agents, unchanged):
    server = serve(agents("good", '"v1"'), agents("better", '"v2"'), unchanged('"v2"'))
    repository = PostgreSQLSessionRepository(server.url)

    moods = [repository.read_agent("s1", "a1").state["mood"] for _ in range(3)]

    assert ["good", "better", "better"] == moods
    assert [None, '"v1"', '"v2"'] == conditions(server)


def test_what_is_gone_is_gone_although_it_is_kept(serve, steps, agents):
    gone = steps.refuse(404, "NotFoundError", {"resource": "agent"})
    server = serve(agents("good", '"v1"'), gone, agents("new", '"v2"'))
    repository = PostgreSQLSessionRepository(server.url)

    read = [repository.read_agent("s1", "a1") for _ in range(3)]

    assert [True, False, True] == [agent is not None for agent in read]
    assert "new" == read[2].state["mood"]


def test_what_has_no_tag_is_not_kept(serve, steps):
    session = {"session_id": "s1", "session_type": "AGENT", "multi_agent_state": None, **CLOCK}
    server = serve(steps.answer(200, session))
    repository = PostgreSQLSessionRepository(server.url)

    repository.read_session("s1")
    repository.read_session("s1")

    assert [None, None] == conditions(server)


def test_a_proxy_may_weaken_the_tag(serve, agents, unchanged):
    server = serve(agents("good", 'W/"v1"'), unchanged('"v1"'))
    repository = PostgreSQLSessionRepository(server.url)

    repository.read_agent("s1", "a1")

    assert "good" == repository.read_agent("s1", "a1").state["mood"]
    assert 2 == len(server.received)


@pytest.mark.parametrize("headers", [{}, {"ETag": '"v2"'}], ids=["no tag", "another tag"])
def test_an_unchanged_that_is_not_about_what_is_kept_is_not_believed(serve, steps, agents, headers):
    server = serve(agents("good", '"v1"'), steps.answer(304, **headers), agents("better", '"v2"'))
    repository = PostgreSQLSessionRepository(server.url)

    repository.read_agent("s1", "a1")
    again = repository.read_agent("s1", "a1")

    assert "better" == again.state["mood"]
    assert [None, '"v1"', None] == conditions(server)


def test_an_unchanged_that_nobody_asked_for_is_an_error(serve, unchanged):
    with pytest.raises(UnexpectedAnswerError):
        PostgreSQLSessionRepository(serve(unchanged('"v1"')).url).read_agent("s1", "a1")


def test_a_condition_is_tried_again_like_any_request(serve, steps, agents, unchanged):
    server = serve(agents("good", '"v1"'), steps.reset, unchanged('"v1"'))
    repository = PostgreSQLSessionRepository(server.url)
    repository.read_agent("s1", "a1")

    again = repository.read_agent("s1", "a1")

    assert "good" == again.state["mood"]
    assert [None, '"v1"', '"v1"'] == conditions(server)


def test_an_outage_is_an_error_and_not_what_is_kept(serve, steps, agents):
    server = serve(agents("good", '"v1"'), steps.refuse(503))
    PostgreSQLSessionRepository(server.url).read_agent("s1", "a1")

    with pytest.raises(DatabaseConnectionError):
        PostgreSQLSessionRepository(server.url, timeout=0.2).read_agent("s1", "a1")


def test_readers_never_fall_behind_a_writer(live_url):
    session_id = f"cache-{uuid.uuid4().hex}"
    writer = PostgreSQLSessionRepository(live_url)
    writer.create_session(Session(session_id, SessionType.AGENT))
    writer.create_agent(session_id, SessionAgent("a1", {"count": 0}, {}))
    acknowledged, stale, reads = [0], [], []

    def read(cache_bytes):
        reader = PostgreSQLSessionRepository(live_url, cache_bytes=cache_bytes)
        while acknowledged[-1] < 100:
            at_least = acknowledged[-1]
            count = reader.read_agent(session_id, "a1").state["count"]
            reads.append(count)
            stale.extend([(count, at_least)] if count < at_least else [])

    threads = [threading.Thread(target=read, args=(cache_bytes,)) for cache_bytes in (2**20, 2**20, 0)]
    for thread in threads:
        thread.start()
    for count in range(1, 101):
        writer.update_agent(session_id, SessionAgent("a1", {"count": count}, {}))
        acknowledged.append(count)
    for thread in threads:
        thread.join()

    assert [] == stale
    assert len(reads) >= 20


# What is handed out


def test_what_is_handed_out_is_the_callers_to_change(serve, agents, unchanged):
    server = serve(agents("good", '"v1"'), unchanged('"v1"'))
    repository = PostgreSQLSessionRepository(server.url)

    for _ in range(3):
        agent = repository.read_agent("s1", "a1")
        assert {"mood": "good"} == agent.state
        agent.state["mood"] = "spoilt"


VALUES = [1.0, -0.0, 1e22, 5e-324, 10**30, 2**53 + 1, True, None, "\x00", "\ud800", "日本", {"b": 1, "a": []}]


@pytest.mark.parametrize("value", VALUES, ids=ascii)
def test_a_kept_value_is_what_was_sent(serve, agents, unchanged, value):
    repository = PostgreSQLSessionRepository(serve(agents(value, '"v1"'), unchanged('"v1"')).url)

    moods = [repository.read_agent("s1", "a1").state["mood"] for _ in range(2)]

    assert [repr(value)] * 2 == [repr(mood) for mood in moods]


def test_kept_bytes_are_bytes(serve, agents, unchanged):
    stored = {"__bytes_encoded__": True, "data": "iVBORw=="}
    repository = PostgreSQLSessionRepository(serve(agents(stored, '"v1"'), unchanged('"v1"')).url)

    moods = [repository.read_agent("s1", "a1").state["mood"] for _ in range(2)]

    assert [b"\x89PNG"] * 2 == moods


@pytest.mark.parametrize("name", ["__bytes_encoded__", "\\u005f_bytes_encoded__", "__\\u0062ytes_encoded__"])
def test_bytes_are_found_however_their_name_is_written(serve, steps, name):
    agent = {"agent_id": "a1", "state": {"b": {"NAME": True, "data": "AAE="}}, **CLOCK}
    body = json.dumps({**agent, "conversation_manager_state": {}, "internal_state": {}}).replace("NAME", name)
    repository = PostgreSQLSessionRepository(serve(steps.answer(200, body)).url)

    assert {"b": b"\x00\x01"} == repository.read_agent("s1", "a1").state


# Who shares it


def test_an_agent_that_is_rebuilt_finds_what_the_one_before_it_read(serve, agents, unchanged):
    server = serve(agents("good", '"v1"'), unchanged('"v1"'))

    PostgreSQLSessionRepository(server.url, api_key="key-of-ann").read_agent("s1", "a1")
    again = PostgreSQLSessionRepository(f"{server.url}/api/v1/", api_key="key-of-ann").read_agent("s1", "a1")

    assert "good" == again.state["mood"]
    assert [None, '"v1"'] == conditions(server)
    assert 1 == len({request.peer for request in server.received})


@pytest.mark.parametrize("other", ["key-of-bob", None, "key-of-an"])
def test_nobody_finds_what_another_key_read(serve, agents, other):
    def by_key(handler):
        mood = handler.headers["Authorization"] or "nobody"
        agents(mood, '"the same"')(handler)

    server = serve(by_key)
    keys = ["key-of-ann", other, "key-of-ann"]

    moods = [PostgreSQLSessionRepository(server.url, api_key=key).read_agent("s1", "a1").state["mood"] for key in keys]

    assert ["Bearer key-of-ann", f"Bearer {other}" if other else "nobody", "Bearer key-of-ann"] == moods
    assert [None, None, '"the same"'] == conditions(server)


def test_nobody_finds_what_was_read_at_another_url(serve, agents):
    servers = [serve(agents(mood, '"the same"')) for mood in ("good", "bad")]

    moods = [PostgreSQLSessionRepository(server.url).read_agent("s1", "a1").state["mood"] for server in servers]

    assert ["good", "bad"] == moods
    assert [[None], [None]] == [conditions(server) for server in servers]


def test_the_key_is_not_in_the_cache(serve, agents):
    repository = PostgreSQLSessionRepository(serve(agents("good", '"v1"')).url, api_key="sk_canary")
    repository.read_agent("s1", "a1")

    kept = repr([vars(cache._store), list(cache._store._entries)])

    assert "s1" in kept
    assert "canary" not in kept


def test_threads_share_it(serve, agents):
    server = serve(lambda handler: agents(handler.path, '"v1"', agent_id=handler.path.rsplit("/")[-1])(handler))
    wrong = []

    def read():
        repository = PostgreSQLSessionRepository(server.url)
        for number in range(30):
            agent = repository.read_agent("s1", f"a{number % 7}")
            wrong.extend([agent] if f"/api/v1/sessions/s1/agents/a{number % 7}" != agent.state["mood"] else [])

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == wrong
    assert 240 == len(server.received)


def test_a_forked_child_can_use_it_whatever_other_threads_did_at_that_moment(serve, agents):
    server = serve(agents("good", '"v1"'))
    repository = PostgreSQLSessionRepository(server.url)
    repository.read_agent("s1", "a1")
    over = threading.Event()

    def keep_busy():
        entry = cache.Kept('"v1"', (b"x" * 1000,))
        while not over.is_set():
            repository._stored._reader._cache.put("another", entry)

    threads = [threading.Thread(target=keep_busy, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    statuses = []
    for _ in range(10):
        child = os.fork()
        if child == 0:
            read = threading.Thread(target=repository.read_agent, args=("s1", "a1"), daemon=True)
            read.start()
            read.join(60)
            os._exit(1 if read.is_alive() else 0)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    over.set()

    assert [0] * 10 == statuses


# How much


def test_nothing_is_kept_if_nothing_is_to_be(serve, agents):
    server = serve(agents("good", '"v1"'))
    keeping, not_keeping = (
        PostgreSQLSessionRepository(server.url),
        PostgreSQLSessionRepository(server.url, cache_bytes=0),
    )

    not_keeping.read_agent("s1", "a1")
    keeping.read_agent("s1", "a1")
    not_keeping.read_agent("s1", "a1")

    assert [None, None, None] == conditions(server)


def test_the_manager_passes_it_on(serve, steps):
    session = {"session_id": "s1", "session_type": "AGENT", "multi_agent_state": None, **CLOCK}
    server = serve(steps.answer(200, session, ETag='"v1"'))

    for cache_bytes in (0, 0, 1000, 1000):
        PostgreSQLSessionManager("s1", server.url, cache_bytes=cache_bytes)

    assert [None, None, None, '"v1"'] == conditions(server)


@pytest.fixture
def small_limit():
    """The process keeps as little as the next repository says."""
    before, cache._store.limit = cache._store.limit, 0
    yield
    cache._store.limit = before


def test_what_was_used_longest_ago_leaves_first(serve, agents, small_limit):
    server = serve(lambda handler: agents("x" * 10_000, '"v1"', agent_id=handler.path.rsplit("/")[-1])(handler))
    repository = PostgreSQLSessionRepository(server.url, cache_bytes=40_000)

    for agent_id in ["a", "b", "c", "a", "d", "a", "c", "d", "b"]:
        repository.read_agent("s1", agent_id)

    known = [request.headers["If-None-Match"] is not None for request in server.received]
    assert [False, False, False, True, False, True, True, True, False] == known


def test_the_bytes_that_are_kept_stay_within_the_limit(serve, agents, small_limit):
    server = serve(lambda handler: agents("x" * int(handler.path.rsplit("/")[-1]), '"v1"')(handler))
    repository = PostgreSQLSessionRepository(server.url, cache_bytes=50_000)

    for size in [100, 20_000, 5_000, 20_001, 40_000, 60_000, 20_000, 1, 2, 3, 49_000] * 2:
        repository.read_agent("s1", str(size))
        kept = list(cache._store._entries.values())
        assert sum(entry.size for entry in kept) <= cache._store._bytes <= 50_000
    cache.clear()

    assert 0 == cache._store._bytes


def test_what_is_larger_than_all_that_may_be_kept_does_not_drive_the_rest_out(serve, agents, small_limit):
    server = serve(lambda handler: agents("x" * int(handler.path.rsplit("/")[-1]), '"v1"')(handler))
    repository = PostgreSQLSessionRepository(server.url, cache_bytes=10_000)

    for size in [100, 20_000, 100, 20_000]:
        repository.read_agent("s1", str(size))

    assert [None, None, '"v1"', None] == conditions(server)


def test_the_largest_of_the_limits_counts(serve, agents, small_limit):
    server = serve(agents("x" * 20_000, '"v1"'))

    for cache_bytes in (10_000, 30_000, 10_000):
        PostgreSQLSessionRepository(server.url, cache_bytes=cache_bytes).read_agent("s1", "a1")

    assert [None, None, '"v1"'] == conditions(server)


@pytest.mark.parametrize("cache_bytes", [-1, 1.5, "32", True, None])
def test_a_limit_that_is_no_count_of_bytes_is_refused(cache_bytes):
    with pytest.raises(ValidationError, match="cache_bytes"):
        PostgreSQLSessionRepository(cache_bytes=cache_bytes)
