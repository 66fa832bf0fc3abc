"""The one door: what is tried again, what is an error, and what travels with a request."""

import logging
import os
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from strands.types.exceptions import SessionException
from strands.types.session import Session, SessionMessage, SessionType

from strands_session_client import (
    AgentNotFoundError,
    AuthenticationError,
    AuthorizationError,
    ConflictError,
    DatabaseConnectionError,
    InternalServerError,
    MessageNotFoundError,
    MultiAgentNotFoundError,
    PayloadTooLargeError,
    PostgreSQLSessionRepository,
    PreconditionFailedError,
    RateLimitedError,
    SessionNotFoundError,
    SessionRepositoryError,
    UnexpectedAnswerError,
    ValidationError,
    retry,
    transport,
)

KEY = "key-0123456789"
CLOCK = {"created_at": "2025-01-01T00:00:00+00:00", "updated_at": "2025-01-01T00:00:00+00:00"}
STORED = {"session_id": "s1", "session_type": "AGENT", "multi_agent_state": None, **CLOCK}
IDENTICAL = {"identical": True}


@pytest.fixture
def new_session():
    return Session(session_id="s1", session_type=SessionType.AGENT)


@pytest.fixture
def created(steps):
    return steps.answer(201, STORED)


@pytest.fixture
def found(steps):
    return steps.answer(200, STORED)


# Tries


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_passing_status_is_tried_again(serve, steps, created, new_session, status):
    server = serve(steps.refuse(status), created)

    session = PostgreSQLSessionRepository(server.url).create_session(new_session)

    assert "s1" == session.session_id
    assert 2 == len(server.received)


@pytest.mark.parametrize("fault", ["reset", "cut_with_length", "cut_without_length", "cut_between_chunks"])
def test_a_broken_connection_is_tried_again(serve, steps, created, new_session, fault):
    server = serve(getattr(steps, fault), created)

    session = PostgreSQLSessionRepository(server.url).create_session(new_session)

    assert "s1" == session.session_id
    assert 2 == len(server.received)


def test_a_silent_server_is_tried_again(serve, steps, found, monkeypatch):
    server = serve(steps.silence, found)
    monkeypatch.setattr(transport, "READ_SECONDS", 2)  # not a short time for the call: too little of that would be left

    session = PostgreSQLSessionRepository(server.url).read_session("s1")

    assert "s1" == session.session_id
    assert 2 == len(server.received)


def test_a_refused_connection_is_tried_again(serve, found):
    server = serve(found, opens_after=0.3)

    session = PostgreSQLSessionRepository(server.url).read_session("s1")

    assert "s1" == session.session_id


def test_there_are_six_tries_in_all(serve, steps):
    server = serve(steps.refuse(503, "DatabaseUnavailable", {"applied": False}))

    with pytest.raises(DatabaseConnectionError, match="The service says 503") as failed:
        PostgreSQLSessionRepository(server.url).read_session("s1")

    assert 6 == len(server.received)
    assert {"applied": False} == failed.value.details


def test_nobody_listening_is_a_connection_error(closed_url):
    with pytest.raises(DatabaseConnectionError, match="refused") as failed:
        PostgreSQLSessionRepository(closed_url, timeout=0.2).read_session("s1")

    assert failed.value.status is None
    assert failed.value.request_id in str(failed.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 500, 501])
def test_any_other_refusal_is_final(serve, steps, new_session, status):
    server = serve(steps.refuse(status, details={"resource": "session"}))

    with pytest.raises(SessionRepositoryError):
        PostgreSQLSessionRepository(server.url).create_session(new_session)

    assert 1 == len(server.received)


def test_the_tries_of_a_call_share_its_request_id_and_body(serve, steps, created, new_session):
    server = serve(steps.refuse(503), steps.reset, created)

    PostgreSQLSessionRepository(server.url).create_session(new_session)

    assert 3 == len(server.received)
    assert 1 == len({(request.headers["X-Request-ID"], request.body) for request in server.received})


def test_every_call_has_a_request_id_of_its_own(serve, found):
    server = serve(found)
    repository = PostgreSQLSessionRepository(server.url)

    repository.read_session("s1")
    repository.read_session("s1")

    request_ids = {request.headers["X-Request-ID"] for request in server.received}
    assert 2 == len(request_ids)
    assert all(request_id.isalnum() and len(request_id) <= 64 for request_id in request_ids)


# Time


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(serve, steps, found, status):
    server = serve(steps.refuse(status, Retry_After="1"), found)
    started = time.monotonic()

    PostgreSQLSessionRepository(server.url).read_session("s1")

    assert 1 <= time.monotonic() - started
    assert 2 == len(server.received)


def test_retry_after_beyond_the_time_of_the_call_ends_it_at_once(serve, steps):
    server = serve(steps.refuse(503, Retry_After="20"))

    with pytest.raises(DatabaseConnectionError):
        PostgreSQLSessionRepository(server.url, timeout=10).read_session("s1")

    assert 1 == len(server.received)


@pytest.mark.parametrize("retry_after", ["soon", "-1", "1.5", "", "²", "Mon, 99 Foo 2025"])
def test_a_retry_after_that_makes_no_sense_is_ignored(serve, steps, found, retry_after):
    server = serve(steps.answer(503, Retry_After=retry_after.encode().decode("latin-1")), found)

    session = PostgreSQLSessionRepository(server.url).read_session("s1")

    assert "s1" == session.session_id


@pytest.mark.parametrize(
    ("retry_after", "least", "most"),
    [
        (None, 0, 0.1),
        ("0", 0, 0.1),
        ("7", 7, 7.1),
        ("3600", 30, 30.1),
        (format_datetime(datetime.now(timezone.utc) - timedelta(hours=1), usegmt=True), 0, 0.1),
        (format_datetime(datetime.now(timezone.utc) + timedelta(hours=1), usegmt=True), 30, 30.1),
        (format_datetime(datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(hours=1)), 30, 30.1),
    ],
    # The same in every process that collects the tests.
    ids=["none", "0", "7", "3600", "an hour ago", "in an hour", "in an hour, -0000"],
)
def test_a_pause_is_what_the_server_asks_for_up_to_30_seconds_and_some_jitter(retry_after, least, most):
    assert least <= retry.pause(1, retry_after) <= most


def test_pauses_grow_to_five_seconds():
    longest = [max(retry.pause(tried) for _ in range(2000)) for tried in range(1, 6)]

    assert sorted(longest) == longest
    assert 4 < longest[-1] <= 5


def test_a_call_ends_when_its_time_is_over(serve, steps):
    server = serve(steps.refuse(503, Retry_After="2"))

    with pytest.raises(DatabaseConnectionError):
        PostgreSQLSessionRepository(server.url, timeout=4).read_session("s1")

    assert 2 == len(server.received)


def test_a_trickling_answer_does_not_outlive_the_time_of_the_call(serve):
    sent = []

    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(1024 * 100))
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" " * 1024)
            sent.append(1024)
            time.sleep(0.1)

    with pytest.raises(DatabaseConnectionError):
        PostgreSQLSessionRepository(serve(trickle).url, timeout=0.5).read_session("s1")

    assert len(sent) < 50


def test_a_large_document_may_take_longer_to_send_than_a_connection_to_open(serve, found):
    def read_late(handler):
        time.sleep(3.3)
        handler.rfile.read(int(handler.headers["Content-Length"]))
        found(handler)

    server = serve(read_late, leaves_body=True)

    session = PostgreSQLSessionRepository(server.url).update_session("s1", {"text": "x" * 24_000_000})

    assert "s1" == session.session_id
    assert 1 == len(server.received)


# Success by an earlier try


def test_a_conflict_with_the_same_content_after_a_retry_is_success(serve, steps, new_session):
    server = serve(steps.cut_with_length, steps.refuse(409, "ConflictError", IDENTICAL))

    session = PostgreSQLSessionRepository(server.url).create_session(new_session)

    assert new_session == session
    assert 2 == len(server.received)


def test_a_conflict_with_the_same_content_at_the_first_try_is_a_conflict(serve, steps, new_session):
    server = serve(steps.refuse(409, "ConflictError", IDENTICAL))

    with pytest.raises(ConflictError) as refused:
        PostgreSQLSessionRepository(server.url).create_session(new_session)

    assert IDENTICAL == refused.value.details


def test_a_conflict_with_other_content_after_a_retry_is_a_conflict(serve, steps, new_session):
    server = serve(steps.reset, steps.refuse(409, "ConflictError", {"identical": False}))

    with pytest.raises(ConflictError):
        PostgreSQLSessionRepository(server.url).create_session(new_session)

    assert 2 == len(server.received)


def test_a_deletion_that_finds_nothing_after_a_retry_is_a_deletion(serve, steps):
    server = serve(steps.reset, steps.refuse(404, "NotFoundError", {"resource": "message"}))

    deleted = PostgreSQLSessionRepository(server.url).delete_message("s1", "a1", 0)

    assert deleted is True


@pytest.mark.parametrize("resource", ["agent", "session"])
def test_a_deletion_that_finds_not_even_the_parent_after_a_retry_is_none(serve, steps, resource):
    server = serve(steps.reset, steps.refuse(404, "NotFoundError", {"resource": resource}))

    deleted = PostgreSQLSessionRepository(server.url).delete_message("s1", "a1", 0)

    assert deleted is False


def test_a_deletion_that_finds_no_route_after_a_retry_is_an_error(serve, steps):
    server = serve(steps.reset, steps.refuse(404, "NotFoundError", {"resource": "route"}))

    with pytest.raises(UnexpectedAnswerError):
        PostgreSQLSessionRepository(server.url).delete_session("s1")


@pytest.mark.parametrize("resource", ["message", "agent", "session"])
def test_a_deletion_that_finds_nothing_at_the_first_try_is_none(serve, steps, resource):
    server = serve(steps.refuse(404, "NotFoundError", {"resource": resource}))

    deleted = PostgreSQLSessionRepository(server.url).delete_message("s1", "a1", 0)

    assert deleted is False


def test_an_update_that_finds_nothing_after_a_retry_is_an_error(serve, steps):
    server = serve(steps.reset, steps.refuse(404, "NotFoundError", {"resource": "session"}))

    with pytest.raises(SessionNotFoundError):
        PostgreSQLSessionRepository(server.url).update_session("s1", {})

    assert 2 == len(server.received)


# Errors


@pytest.mark.parametrize(
    ("status", "details", "kind"),
    [
        (400, {"message_id": ["Must be an integer."]}, ValidationError),
        (401, None, AuthenticationError),
        (403, None, AuthorizationError),
        (404, {"resource": "session"}, SessionNotFoundError),
        (404, {"resource": "agent"}, AgentNotFoundError),
        (404, {"resource": "message"}, MessageNotFoundError),
        (404, {"resource": "multi_agent"}, MultiAgentNotFoundError),
        (404, {"resource": "route"}, UnexpectedAnswerError),
        (405, None, SessionRepositoryError),
        (409, {"identical": False}, ConflictError),
        (412, None, PreconditionFailedError),
        (413, None, PayloadTooLargeError),
        (415, None, SessionRepositoryError),
        (429, None, RateLimitedError),
        (500, None, InternalServerError),
        (503, {"applied": "unknown"}, DatabaseConnectionError),
    ],
)
def test_each_refusal_has_its_error_with_the_servers_request_id(serve, steps, status, details, kind):
    server = serve(steps.refuse(status, details=details, Retry_After="9"))

    with pytest.raises(SessionException) as refused:
        PostgreSQLSessionRepository(server.url, timeout=5).update_session("s1", {})

    assert kind is type(refused.value)
    assert "from-the-server" in str(refused.value)
    assert (status, "from-the-server", details) == (
        refused.value.status,
        refused.value.request_id,
        refused.value.details,
    )


def test_a_refused_field_is_named(serve, steps):
    server = serve(steps.refuse(400, details={"state": ["Must be an object."]}))

    with pytest.raises(ValidationError, match=r"state.*Must be an object"):
        PostgreSQLSessionRepository(server.url).update_session("s1", {})


NOT_OURS = {
    "an HTML page for an unknown page": (404, "<h1>Not Found</h1>", "text/html"),
    "an unknown page in JSON": (404, {"error": "not found"}, "application/json"),
    "an unknown page in JSON with details": (404, {"detail": {"message": "Not Found"}}, "application/json"),
    "an empty 404": (404, None, "text/plain"),
    "an HTML page": (200, "<h1>Welcome</h1>", "text/html"),
    "other JSON": (200, {"hello": "world"}, "application/json"),
    "a list": (200, [], "application/json"),
    "nothing at all": (204, None, "text/plain"),
    "a bad request in HTML": (400, "<h1>Bad Request</h1>", "text/html"),
}


@pytest.mark.parametrize("answer", NOT_OURS.values(), ids=NOT_OURS)
def test_what_is_not_the_service_never_reads_as_an_absent_session(serve, steps, answer):
    status, body, content_type = answer
    server = serve(steps.answer(status, body, content_type))

    with pytest.raises(UnexpectedAnswerError, match="base URL looks wrong"):
        PostgreSQLSessionRepository(server.url).read_session("s1")

    assert 1 == len(server.received)


def test_an_unknown_route_never_reads_as_an_absent_session(serve, steps):
    server = serve(steps.refuse(404, "NotFoundError", {"resource": "route"}))

    with pytest.raises(UnexpectedAnswerError, match="base URL looks wrong"):
        PostgreSQLSessionRepository(server.url).read_session("s1")


@pytest.mark.parametrize("status", [200, 404])
def test_what_is_not_the_service_never_reads_as_a_deletion(serve, steps, status):
    server = serve(steps.answer(status, "<h1>Hello</h1>", "text/html"))

    with pytest.raises(UnexpectedAnswerError):
        PostgreSQLSessionRepository(server.url).delete_session("s1")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(serve, steps, found, status):
    elsewhere = serve(found)
    server = serve(steps.answer(status, Location=f"{elsewhere.url}/login"))

    with pytest.raises(UnexpectedAnswerError, match=f"{elsewhere.url}/login"):
        PostgreSQLSessionRepository(server.url, api_key=KEY).read_session("s1")

    assert [] == elsewhere.received


def test_a_gateways_refusal_without_an_explanation_is_still_told_apart(serve, steps):
    server = serve(steps.answer(401, "<h1>Unauthorized</h1>", "text/html"))

    with pytest.raises(AuthenticationError, match="HTTP 401"):
        PostgreSQLSessionRepository(server.url).read_session("s1")


def test_nothing_is_sent_for_an_id_or_a_document_that_can_not_be_stored(serve, found):
    server = serve(found)
    repository = PostgreSQLSessionRepository(server.url)

    with pytest.raises(ValueError, match="session_id"):
        repository.read_session("..")
    with pytest.raises(ValueError, match=r"message\.content"):
        repository.create_message("s1", "a1", SessionMessage({"role": "user", "content": [{1, 2}]}, 0))

    assert [] == server.received


# What travels with a request


def test_the_key_is_sent_as_a_bearer_token(serve, found, monkeypatch):
    server = serve(found)
    monkeypatch.setenv("SESSION_BACKEND_API_KEY", f" {KEY}\n")

    PostgreSQLSessionRepository(server.url).read_session("s1")
    PostgreSQLSessionRepository(server.url, api_key="another").read_session("s1")

    sent = [request.headers["Authorization"] for request in server.received]
    assert [f"Bearer {KEY}", "Bearer another"] == sent


def test_without_a_key_none_is_sent(serve, found):
    server = serve(found)

    PostgreSQLSessionRepository(server.url).read_session("s1")

    assert server.received[0].headers["Authorization"] is None


@pytest.mark.parametrize(("key", "expected"), [(KEY, f"Bearer {KEY}"), (None, None)])
def test_a_netrc_file_has_no_say_in_the_key(serve, found, monkeypatch, tmp_path, key, expected):
    server = serve(found)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    PostgreSQLSessionRepository(server.url, api_key=key).read_session("s1")

    assert expected == server.received[0].headers["Authorization"]


def test_the_proxy_of_the_environment_is_used(serve, found, monkeypatch):
    proxy = serve(found)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)

    session = PostgreSQLSessionRepository("http://sessions.example").read_session("s1")

    assert "s1" == session.session_id
    assert "http://sessions.example/api/v1/sessions/s1" == proxy.received[0].path


def test_no_proxy_stands_between_a_client_and_its_own_machine(serve, found, monkeypatch, closed_url):
    server = serve(found)
    monkeypatch.setenv("HTTP_PROXY", closed_url)

    session = PostgreSQLSessionRepository(server.url).read_session("s1")

    assert "s1" == session.session_id


def test_a_cookie_is_not_kept(serve, steps):
    server = serve(steps.answer(200, STORED, Set_Cookie="sticky=1"))
    repository = PostgreSQLSessionRepository(server.url)

    repository.read_session("s1")
    repository.read_session("s1")

    assert server.received[1].headers["Cookie"] is None


def test_ids_travel_quoted_and_undivided(serve, found):
    server = serve(found)

    PostgreSQLSessionRepository(server.url).read_session("%2e%2e?a#b é")

    assert "/api/v1/sessions/%252e%252e%3Fa%23b%20%C3%A9" == server.received[0].path


def test_neither_key_nor_content_is_logged_and_nothing_above_debug(serve, steps, created, new_session, caplog):
    server = serve(steps.refuse(503), steps.reset, created)
    caplog.set_level(logging.DEBUG)

    PostgreSQLSessionRepository(server.url, api_key=KEY).create_session(new_session)

    own = [record for record in caplog.records if record.name.startswith("strands_session_client")]
    assert 2 == len(own)
    assert {logging.DEBUG} == {record.levelno for record in caplog.records}
    assert KEY not in caplog.text
    assert "AGENT" not in caplog.text


# Connections


def test_calls_share_a_connection_until_it_is_closed(serve, found):
    server = serve(found)
    repository = PostgreSQLSessionRepository(server.url)

    with repository:
        repository.read_session("s1")
        repository.read_session("s1")
    repository.read_session("s1")

    peers = [request.peer for request in server.received]
    assert peers[0] == peers[1] != peers[2]


def test_a_refusal_keeps_the_connection(serve, steps):
    server = serve(steps.refuse(404, "NotFoundError", {"resource": "session"}))
    repository = PostgreSQLSessionRepository(server.url)

    repository.read_session("s1")
    repository.read_session("s1")

    assert server.received[0].peer == server.received[1].peer


def test_a_forked_child_opens_connections_of_its_own(serve, found):
    server = serve(found)
    repository = PostgreSQLSessionRepository(server.url)
    repository.read_session("s1")

    child = os.fork()
    if child == 0:
        try:
            repository.read_session("s1")
            repository.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    repository.read_session("s1")

    of_parent, of_child, of_parent_again = (request.peer for request in server.received)
    assert of_parent == of_parent_again != of_child


def test_threads_can_share_a_repository(serve, found, caplog):
    server = serve(found)
    repository = PostgreSQLSessionRepository(server.url)
    seen = []

    def read():
        seen.extend(repository.read_session("s1").session_id for _ in range(10))

    threads = [threading.Thread(target=read) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ["s1"] * 160 == seen
    assert 160 == len({request.headers["X-Request-ID"] for request in server.received})
    assert [] == [record for record in caplog.records if record.levelno > logging.DEBUG]


# Health


@pytest.mark.parametrize("check", ["health_check", "database_health_check"])
def test_a_healthy_service_is_healthy(serve, steps, check):
    server = serve(steps.answer(200, {"status": "healthy"}))

    assert getattr(PostgreSQLSessionRepository(server.url), check)() is True


@pytest.mark.parametrize("check", ["health_check", "database_health_check"])
def test_an_unhealthy_service_is_asked_once_and_unhealthy(serve, steps, check):
    server = serve(steps.answer(503, {"status": "unhealthy"}))

    healthy = getattr(PostgreSQLSessionRepository(server.url), check)()

    assert healthy is False
    assert 1 == len(server.received)


def test_a_service_that_is_not_there_is_unhealthy(closed_url):
    assert PostgreSQLSessionRepository(closed_url).health_check() is False


def test_a_page_that_anyone_could_give_is_not_health(serve, steps):
    server = serve(steps.answer(200, "<h1>Welcome</h1>", "text/html"))

    assert PostgreSQLSessionRepository(server.url).health_check() is False
