"""What reading a conversation costs in requests and bytes: the first time, unchanged, grown and shrunk."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType

from faults.proxy import Proxy, to_port
from strands_session_client import AgentNotFoundError, PostgreSQLSessionRepository

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


def test_an_unchanged_conversation_costs_four_questions(wire, thousand):
    first = wire.restore(thousand)
    cost_of_first = wire.bytes, wire.requests
    wire.restore(thousand)

    again = wire.restore(thousand)

    assert first == again
    assert (4, 4) == (cost_of_first[1], wire.requests)
    assert 500_000 < cost_of_first[0] > 400 * wire.bytes


def test_after_an_append_only_the_new_row_travels_and_the_last_one_before_it(wire, thousand, repository):
    wire.restore(thousand)
    append(repository, thousand, 1000)

    grown = wire.restore(thousand)
    repository.delete_message(thousand, "a1", 1000)

    assert list(range(1001)) == ids(grown)
    assert wire.bytes < 10 * len(TEXT)


def test_after_a_change_in_the_middle_it_is_read_anew(wire, thousand, repository):
    wire.restore(thousand)
    changed = repository.read_message(thousand, "a1", 500)
    redaction = {"role": "user", "content": [{"text": str(uuid.uuid4())}]}
    repository.update_message(thousand, "a1", 500, {"redact_message": redaction})

    again = wire.restore(thousand)
    repository.update_message(thousand, "a1", changed)

    assert redaction == again[500].redact_message
    assert list(range(1000)) == ids(again)


def test_without_a_cache_it_is_one_page_each_time(wire, thousand):
    for _ in range(2):
        messages = wire.restore(thousand, cache_bytes=0)

        assert list(range(1000)) == ids(messages)
        assert 3 == wire.requests
        assert 500_000 < wire.bytes


# Growing and shrinking


def test_a_conversation_that_grows_is_read_for_what_it_grows_by(wire, repository, conversation):
    session_id = conversation(40)
    whole = travelled = 0

    for number in range(40, 180, 2):
        append(repository, session_id, number)
        append(repository, session_id, number + 1)
        assert list(range(number + 2)) == ids(wire.restore(session_id))
        travelled += wire.bytes
        whole += number * len(TEXT)

    assert travelled < whole / 2


@pytest.mark.parametrize(
    ("count", "offset"),
    [(0, 0), (0, 1), (1, 1), (49, 0), (50, 0), (51, 0), (51, 1), (52, 1), (100, 0), (151, 10), (151, 150), (100, 200)],
)
def test_every_length_and_offset_is_what_a_slice_is(wire, repository, conversation, count, offset):
    session_id = conversation(count, "short")
    for number in (count, count + 1, count + 2):
        messages = wire.restore(session_id, offset)
        append(repository, session_id, number, "short")

        assert list(range(number))[offset:] == ids(messages)


def test_a_window_that_slides_needs_three_questions(wire, repository, conversation):
    session_id = conversation(60)

    for number in range(60, 80, 2):
        append(repository, session_id, number)
        append(repository, session_id, number + 1)

        assert list(range(number - 38, number + 2)) == ids(wire.restore(session_id, offset=number - 38))
        assert 3 == wire.requests


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
    session_id = conversation(90, "x" * 200_000)

    numbers, requests = [], []
    for _ in range(3):
        numbers.append(ids(wire.restore(session_id)))
        requests.append(wire.requests)

    assert [list(range(90))] * 3 == numbers
    # Of 50, which are the newest, and then of 20: that is 4 MiB.
    assert [2 + 1 + 3, 2 + 6, 2 + 6] == requests
    assert wire.bytes < 10_000


# Rows that come and go between two pages


@pytest.fixture
def pages_of(serve, steps):
    """A service that gives these pages, which are the ids on them and whether more follow."""

    def start(*given):
        clock = {"created_at": "2025-01-01T00:00:00+00:00", "updated_at": "2025-01-01T00:00:00+00:00"}

        def step(message_ids, more):
            message = {"message": {"role": "user", "content": []}, "redact_message": None, **clock}
            rows = [{"message_id": message_id, **message} for message_id in message_ids]
            body = {"messages": rows, "total": 200, "page": None, "page_size": 50, "next": "next" if more else None}
            return steps.answer(200, body, ETag=f'"{uuid.uuid4().hex}"')

        return serve(*(step(*page) for page in given))

    return start


def test_messages_that_came_in_between_are_not_missed(pages_of):
    evens_at_first = (range(300, 200, -2), True)
    then_all = [(range(199), True), (range(199, 301), False)]
    server = pages_of(evens_at_first, *then_all)

    messages = PostgreSQLSessionRepository(server.url).list_messages("s1", "a1")

    assert list(range(301)) == ids(messages)


def test_messages_that_went_in_between_are_not_there_twice(pages_of):
    server = pages_of((range(199, 149, -1), True), ([*range(100), *range(101, 199)], False))

    messages = PostgreSQLSessionRepository(server.url).list_messages("s1", "a1")

    assert [number for number in range(200) if number != 100] == ids(messages)
    assert 2 == len(server.received)


# Pages that are asked for before the one in front of them has come


def test_pages_are_asked_for_at_the_same_time_once_their_places_are_known(live_url, conversation, monkeypatch):
    session_id = conversation(200)
    started = []
    begin = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda thread: (started.append(thread.name), begin(thread)))
    repository = PostgreSQLSessionRepository(live_url)

    lengths = [len(repository.list_messages(session_id, "a1")) for _ in range(3)]

    assert [200] * 3 == lengths
    assert ["session-page-ahead"] * 2 == started
    assert not [thread for thread in threading.enumerate() if thread.name == "session-page-ahead"]


def test_a_page_that_was_asked_for_at_the_wrong_place_is_asked_for_again(repository, conversation):
    session_id = conversation(200, "short")
    repository.list_messages(session_id, "a1")
    for number in range(200, 210):
        append(repository, session_id, number, "short")
    repository.list_messages(session_id, "a1")
    repository.delete_message(session_id, "a1", 0)  # now the first page ends one message later

    assert list(range(1, 210)) == ids(repository.list_messages(session_id, "a1"))


def test_where_no_thread_can_be_had_pages_come_one_by_one(live_url, conversation, monkeypatch):
    session_id = conversation(200)
    repository = PostgreSQLSessionRepository(live_url)
    expected = repository.list_messages(session_id, "a1")

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert expected == repository.list_messages(session_id, "a1")
