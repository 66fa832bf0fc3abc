"""What reading a conversation costs in requests and bytes: the first time, unchanged, grown and shrunk."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType

from faults.proxy import Proxy, to_port
from strands_session_client import AgentNotFoundError, PostgreSQLSessionRepository, UnexpectedAnswerError
from strands_session_client.pages import Pages
from strands_session_client.transport import Transport

TEXT = "word " * 100


class Wire:
    """Restores agents as the SDK does, each time with a new repository, and counts what that costs."""

    def __init__(self, live_url):
        self._proxy = Proxy(to_port(urlsplit(live_url).port))
        self._url = f"http://127.0.0.1:{self._proxy.port}"
        self.bytes = self.requests = 0

    def restore(self, session_id, offset=0, **more):
        """The agent's messages."""
        answered, asked = self._proxy.answered, len(self._proxy.requests)
        repository = PostgreSQLSessionRepository(self._url, **more)
        repository.read_session(session_id)
        repository.read_agent(session_id, "a1")
        messages = repository.list_messages(session_id, "a1", offset=offset)
        self.bytes, self.requests = self._proxy.answered - answered, len(self._proxy.requests) - asked
        return messages

    def close(self):
        self._proxy.close()


@pytest.fixture
def wire(live_url):
    wire = Wire(live_url)
    yield wire
    wire.close()


@pytest.fixture
def repository(live_url):
    return PostgreSQLSessionRepository(live_url)


@pytest.fixture
def conversation(repository):
    """Makes sessions whose agent has so many messages."""

    def make(count, text=TEXT):
        session_id = f"pages-{uuid.uuid4().hex}"
        repository.create_session(Session(session_id, SessionType.AGENT))
        repository.create_agent(session_id, SessionAgent("a1", {}, {}))
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda number: append(repository, session_id, number, text), range(count)))
        return session_id

    return make


def append(repository, session_id, number, text=TEXT):
    message = {"role": "user", "content": [{"text": f"{number} {text}"}]}
    repository.create_message(session_id, "a1", SessionMessage(message, number))


def without_rest(call):
    """As a client before RFC 3229 asks, and so as a service before it answers."""
    return lambda *given, takes_rest=False, **options: call(*given, **options)


def ids(messages):
    return [message.message_id for message in messages]


# A thousand messages


@pytest.fixture(scope="module")
def thousand(live_url):
    """A session whose agent has 1,000 messages. Whoever changes it changes it back."""
    repository = PostgreSQLSessionRepository(live_url)
    session_id = f"pages-{uuid.uuid4().hex}"
    repository.create_session(Session(session_id, SessionType.AGENT))
    repository.create_agent(session_id, SessionAgent("a1", {}, {}))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: append(repository, session_id, number), range(1000)))
    yield session_id
    repository.delete_session(session_id)


def test_an_unchanged_conversation_costs_three_questions(wire, thousand):
    first = wire.restore(thousand)
    cost_of_first = wire.bytes, wire.requests

    again = wire.restore(thousand)

    assert first == again
    assert (3, 3) == (cost_of_first[1], wire.requests)
    assert 500_000 < cost_of_first[0] > 500 * wire.bytes


def test_after_an_append_only_the_new_row_travels(wire, thousand, repository):
    repository.delete_message(thousand, "a1", 999)
    wire.restore(thousand)
    wire.restore(thousand)
    unchanged = wire.bytes
    append(repository, thousand, 999)

    grown = wire.restore(thousand)

    assert list(range(1000)) == ids(grown)
    assert 3 == wire.requests
    assert len(TEXT) < wire.bytes - unchanged < 2 * len(TEXT)


def test_the_row_behind_a_whole_page_has_a_page_of_its_own(wire, thousand, repository):
    wire.restore(thousand)
    append(repository, thousand, 1000)

    costs = []
    for _ in range(2):
        assert list(range(1001)) == ids(wire.restore(thousand))
        costs.append((wire.requests, wire.bytes < 5 * len(TEXT)))
    repository.delete_message(thousand, "a1", 1000)

    assert [(4, True)] * 2 == costs


def test_after_a_change_in_the_middle_it_is_read_anew(wire, thousand, repository):
    wire.restore(thousand)
    changed = repository.read_message(thousand, "a1", 500)
    redaction = {"role": "user", "content": [{"text": str(uuid.uuid4())}]}
    repository.update_message(thousand, "a1", 500, {"redact_message": redaction})

    again = wire.restore(thousand)
    repository.update_message(thousand, "a1", changed)

    assert redaction == again[500].redact_message
    assert list(range(1000)) == ids(again)


def test_from_a_service_that_gives_no_rest_it_is_read_anew_when_it_grew(live_url, thousand, repository, monkeypatch):
    monkeypatch.setattr(Transport, "call", without_rest(Transport.call))
    wire = Wire(live_url)
    wire.restore(thousand)
    wire.restore(thousand)
    unchanged = wire.requests, wire.bytes
    append(repository, thousand, 1000)

    assert list(range(1001)) == ids(wire.restore(thousand))
    wire.close()
    repository.delete_message(thousand, "a1", 1000)
    assert 3 == unchanged[0]
    assert unchanged[1] < 5 * len(TEXT)


def test_without_a_cache_it_is_one_page_each_time(wire, thousand):
    for _ in range(2):
        messages = wire.restore(thousand, cache_bytes=0)

        assert list(range(1000)) == ids(messages)
        assert 3 == wire.requests
        assert 500_000 < wire.bytes


# Growing and shrinking


def test_a_conversation_that_grows_is_read_for_what_it_grows_by(wire, repository, conversation):
    session_id = conversation(40)
    new = travelled = 0
    wire.restore(session_id)

    for number in range(40, 180, 2):
        append(repository, session_id, number)
        append(repository, session_id, number + 1)
        assert list(range(number + 2)) == ids(wire.restore(session_id))
        travelled += wire.bytes
        new += 2 * len(TEXT)

    assert travelled < 3 * new  # with the headers of three answers each time


@pytest.mark.parametrize(
    ("count", "offset"),
    [
        (0, 0),
        (0, 1),
        (1, 1),
        (49, 49),
        (50, 50),
        (51, 51),
        (99, 0),
        (100, 0),
        (101, 0),
        (151, 10),
        (151, 150),
        (100, 200),
    ],
)
def test_every_length_and_offset_is_what_a_slice_is(wire, repository, conversation, count, offset):
    session_id = conversation(count, "short")
    for number in (count, count + 1, count + 2):
        messages = wire.restore(session_id, offset)
        append(repository, session_id, number, "short")

        assert list(range(number))[offset:] == ids(messages)


def test_of_a_window_that_slides_only_what_is_new_travels_mostly(wire, repository, conversation):
    session_id = conversation(60)
    wire.restore(session_id, offset=20)
    costs = []

    for number in range(60, 100, 2):
        append(repository, session_id, number)
        append(repository, session_id, number + 1)

        assert list(range(number - 38, number + 2)) == ids(wire.restore(session_id, offset=number - 38))
        costs.append((wire.requests, wire.bytes > 10 * len(TEXT)))

    # All of it when the beginning moves over a fiftieth row.
    assert [(3, offset == 50) for offset in range(22, 62, 2)] == costs


def test_what_was_deleted_is_not_there(wire, repository, conversation):
    session_id = conversation(150, "short")
    left = list(range(150))

    for gone in [149, 0, 75, 148, 1, 147, *range(125, 147)]:
        repository.delete_message(session_id, "a1", gone)
        left.remove(gone)
        assert left == ids(wire.restore(session_id))
    repository.delete_agent(session_id, "a1")

    with pytest.raises(AgentNotFoundError):
        wire.restore(session_id)


def test_an_agent_that_was_made_again_has_its_new_messages_alone(wire, repository, conversation):
    session_id = conversation(150)
    wire.restore(session_id)
    repository.delete_session(session_id)
    repository.create_session(Session(session_id, SessionType.AGENT))
    repository.create_agent(session_id, SessionAgent("a1", {}, {}))
    for number in range(120):
        append(repository, session_id, number, "new")

    messages = wire.restore(session_id)

    assert [f"{number} new" for number in range(120)] == [message.message["content"][0]["text"] for message in messages]


def test_large_messages_come_in_pages_of_few(wire, conversation):
    session_id = conversation(210, "x" * 50_000)

    numbers, requests, travelled = [], [], []
    for _ in range(3):
        numbers.append(ids(wire.restore(session_id)))
        requests.append(wire.requests)
        travelled.append(wire.bytes)

    assert [list(range(210))] * 3 == numbers
    assert [2 + 3] * 3 == requests  # as each has 4 MiB at most
    assert travelled[0] < 1.1 * 210 * 50_000
    assert max(travelled[1:]) < 10_000


# Rows that come and go between two questions


@pytest.fixture
def pages_of(serve, steps):
    """A service that gives these pages: the ids on them, whether more follow, and more about the answer."""

    def start(*given):
        clock = {"created_at": "2025-01-01T00:00:00+00:00", "updated_at": "2025-01-01T00:00:00+00:00"}

        def step(message_ids, more, status=200, **headers):
            message = {"message": {"role": "user", "content": []}, "redact_message": None, **clock}
            rows = [{"message_id": message_id, **message} for message_id in message_ids]
            body = {"messages": rows, "total": None, "page": 1, "page_size": 100, "next": "next" if more else None}
            return steps.answer(status, body, **{"ETag": f'"{uuid.uuid4().hex}"', **headers})

        return serve(*(step(*page[:2], **dict(page[2:])) for page in given))

    return start


FIRST = (range(100), False, ("ETag", '"v1"'))


def asked(server):
    """What was said to be known, and what was asked for instead."""
    return [(request.headers["If-None-Match"], request.headers["A-IM"]) for request in server.received]


def read_twice(server):
    repository = PostgreSQLSessionRepository(server.url)
    repository.list_messages("s1", "a1")
    return ids(repository.list_messages("s1", "a1"))


def test_what_is_new_is_put_behind_what_is_known(pages_of):
    server = pages_of(FIRST, (range(100, 150), False, ("status", 226), ("Delta_Base", '"v1"')))

    assert list(range(150)) == read_twice(server)
    assert [(None, None), ('"v1"', "feed")] == asked(server)


def test_what_changed_in_between_is_not_mixed(pages_of):
    server = pages_of(FIRST, ([*range(50), *range(51, 150)], False))

    assert [number for number in range(150) if number != 50] == read_twice(server)
    assert 2 == len(server.received)


def test_of_a_page_that_is_longer_than_was_asked_for_nobody_sees_the_end(pages_of):
    server = pages_of((range(5), True))

    assert [0, 1, 2] == ids(PostgreSQLSessionRepository(server.url).list_messages("s1", "a1", limit=3))
    assert 1 == len(server.received)


@pytest.mark.parametrize("base", [(), (("Delta_Base", '"v0"'),)], ids=["none", "another"])
def test_a_rest_of_something_else_is_not_believed(pages_of, base):
    server = pages_of(FIRST, (range(120, 150), False, ("status", 226), *base), (range(150), False))

    assert list(range(150)) == read_twice(server)
    assert [(None, None), ('"v1"', "feed"), (None, None)] == asked(server)


def test_a_proxy_may_weaken_the_tag_of_what_a_rest_continues(pages_of):
    first = (range(100), False, ("ETag", 'W/"v1"'))
    server = pages_of(first, (range(100, 150), False, ("status", 226), ("Delta_Base", '"v1"')))

    assert list(range(150)) == read_twice(server)


def test_a_rest_that_nobody_asked_for_is_an_error(pages_of):
    server = pages_of((range(120, 150), False, ("status", 226), ("Delta_Base", '"v1"')))

    with pytest.raises(UnexpectedAnswerError):
        PostgreSQLSessionRepository(server.url).list_messages("s1", "a1")


@pytest.mark.parametrize("limit", [None, 1000])
@pytest.mark.parametrize("message_ids", [(), range(3)], ids=["empty", "always the same"])
def test_pages_that_lead_nowhere_are_an_error(pages_of, message_ids, limit):
    server = pages_of((message_ids, True))

    with pytest.raises(UnexpectedAnswerError, match="The base URL looks wrong"):
        PostgreSQLSessionRepository(server.url).list_messages("s1", "a1", limit=limit)
    assert 2 >= len(server.received)


# Pages that are asked for before the one in front of them has come


@pytest.fixture
def in_pages(live_url):
    """A repository that reads fifty rows at a time."""
    repository = PostgreSQLSessionRepository(live_url)
    resources = repository._stored
    resources._pages = Pages(resources._reader, resources._reader._cache, longest=50)
    return repository


def test_pages_are_asked_for_at_the_same_time_once_their_places_are_known(in_pages, conversation, monkeypatch):
    session_id = conversation(200)
    started = []
    begin = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (started.append(thread.name), begin(thread)))

    lengths = [len(in_pages.list_messages(session_id, "a1")) for _ in range(3)]

    assert [200] * 3 == lengths
    assert ["session-page-ahead"] * 6 == started
    assert not [thread for thread in threading.enumerate() if thread.name == "session-page-ahead"]


def test_a_page_that_was_asked_for_at_the_wrong_place_is_asked_for_again(in_pages, conversation):
    session_id = conversation(200, "short")
    in_pages.list_messages(session_id, "a1")
    in_pages.delete_message(session_id, "a1", 0)  # now each page ends one message later

    assert list(range(1, 200)) == ids(in_pages.list_messages(session_id, "a1"))


def test_where_no_thread_can_be_had_pages_come_one_by_one(in_pages, conversation, monkeypatch):
    session_id = conversation(200)
    expected = in_pages.list_messages(session_id, "a1")

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert expected == in_pages.list_messages(session_id, "a1")
