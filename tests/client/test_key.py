"""The key goes to the service and nowhere else: no other host, no log, no text, no traceback."""

import traceback
from collections.abc import Iterator

import pytest
from strands.types.session import Session, SessionType

from strands_session_client import (
    AuthenticationError,
    AuthorizationError,
    PostgreSQLSessionManager,
    PostgreSQLSessionRepository,
    SessionRepositoryError,
    ValidationError,
)

from ..conftest import new_key

KEY = "sk_0123456789-canary"


# Which keys are taken, and where they may go


@pytest.mark.parametrize("url", ["http://localhost:8001", "http://127.0.0.2", "http://[::1]:8001", "https://host"])
def test_a_key_is_sent_within_this_machine_or_encrypted(url):
    assert url == PostgreSQLSessionRepository(url, api_key=KEY).base_url


CLEAR_TEXT = ["http://host:8001", "http://10.0.0.1", "http://[fe80::1]", "http://localhost.evil.example"]


@pytest.mark.parametrize("url", CLEAR_TEXT)
@pytest.mark.parametrize(
    "kind", [PostgreSQLSessionRepository, lambda url, **key: PostgreSQLSessionManager("s", url, **key)]
)
def test_a_key_is_not_sent_in_clear_text_to_another_machine(monkeypatch, kind, url):
    with pytest.raises(ValidationError, match="clear text") as by_argument:
        kind(url, api_key=KEY)
    monkeypatch.setenv("SESSION_BACKEND_API_KEY", KEY)
    with pytest.raises(ValidationError, match="clear text") as by_environment:
        kind(url)

    assert "" == shown(by_argument.value) + shown(by_environment.value)


def test_nothing_reaches_a_proxy_before_a_key_in_clear_text_is_refused(serve, steps, monkeypatch):
    proxy = serve(steps.refuse(404))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)

    with pytest.raises(ValidationError, match="clear text"):
        PostgreSQLSessionManager("s1", "http://sessions.example", api_key=KEY)

    assert [] == proxy.received


@pytest.mark.parametrize("written", ["1", "true", "True"])
def test_a_key_in_clear_text_can_be_allowed(monkeypatch, written):
    by_keyword = PostgreSQLSessionRepository("http://host", api_key=KEY, allow_insecure_key=True)
    monkeypatch.setenv("SESSION_BACKEND_ALLOW_INSECURE_KEY", written)

    assert "http://host" == by_keyword.base_url
    assert "http://host" == PostgreSQLSessionRepository("http://host", api_key=KEY).base_url


@pytest.mark.parametrize("written", ["0", "false", "", "yes please"])
def test_any_other_word_does_not_allow_it(monkeypatch, written):
    monkeypatch.setenv("SESSION_BACKEND_ALLOW_INSECURE_KEY", written)

    with pytest.raises(ValidationError, match="clear text"):
        PostgreSQLSessionRepository("http://host", api_key=KEY)


BAD_KEYS = [
    f"two {KEY}",
    f"line\n{KEY}",
    f"return\r{KEY}",
    f"tab\t{KEY}",
    f"{KEY}\x00",
    f"{KEY}\x7f",
    f"schlüssel{KEY}",
]


@pytest.mark.parametrize("key", BAD_KEYS, ids=ascii)
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(monkeypatch, key):
    with pytest.raises(ValidationError, match="the bare key") as refused:
        PostgreSQLSessionRepository(api_key=key)
    with pytest.raises(ValidationError, match="the bare key") as refused_by_the_manager:
        PostgreSQLSessionManager("s1", api_key=key)

    assert "" == shown(refused.value) + shown(refused_by_the_manager.value)


@pytest.mark.parametrize("key", [KEY.encode(), [KEY]], ids=["bytes", "list"])
def test_a_key_that_is_no_text_is_refused_without_showing_it(key):
    with pytest.raises(ValidationError, match="the bare key") as refused:
        PostgreSQLSessionRepository(api_key=key)

    assert "" == shown(refused.value)


# What the service says of it


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, AuthorizationError)])
def test_a_key_that_is_refused_is_not_tried_again(serve, steps, status, kind):
    server = serve(steps.refuse(status))

    with pytest.raises(kind, match=f"The service says {status}") as refused:
        PostgreSQLSessionRepository(server.url, api_key=KEY).read_session("s1")

    assert 1 == len(server.received)
    assert "" == shown(refused.value)


def test_the_living_service_lets_in_who_sends_its_key_and_nobody_else(keyed_url, keyed_app):
    key = new_key(keyed_app)

    with PostgreSQLSessionRepository(keyed_url, api_key=key) as repository:
        made = repository.create_session(Session(f"s-{key[-6:]}", SessionType.AGENT))
        again = PostgreSQLSessionManager(made.session_id, keyed_url, api_key=key)

    assert made.session_id == again.session_id
    with pytest.raises(AuthenticationError, match="A valid key is needed") as unknown:
        PostgreSQLSessionRepository(keyed_url).read_session(made.session_id)
    with pytest.raises(AuthenticationError, match="A valid key is needed") as wrong:
        PostgreSQLSessionManager(made.session_id, keyed_url, api_key=f"{key[:-1]}{'0' if key[-1] != '0' else '1'}")
    assert {401} == {error.value.status for error in (unknown, wrong)}


def test_the_living_service_says_which_right_a_key_lacks(keyed_url, keyed_app):
    repository = PostgreSQLSessionRepository(keyed_url, api_key=new_key(keyed_app, "read"))

    assert repository.read_session("none") is None
    with pytest.raises(AuthorizationError, match="lacks the scope write") as refused:
        repository.create_session(Session("s", SessionType.AGENT))
    assert ({"scope": "write"}, 403) == (refused.value.details, refused.value.status)


# Where it does not show


FAILURES = {
    "a refusal": lambda steps: steps.refuse(400, "ValidationError", {"x": ["Is wrong."]}),
    "a defect": lambda steps: steps.refuse(500),
    "an outage": lambda steps: steps.refuse(503),
    "a redirect": lambda steps: steps.answer(302, Location="http://elsewhere.example"),
    "somebody else": lambda steps: steps.answer(200, "<h1>Welcome</h1>", "text/html"),
    "another protocol": lambda steps: lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n"),
    "a reset": lambda steps: steps.reset,
    "a cut": lambda steps: steps.cut_with_length,
    "a cut between chunks": lambda steps: steps.cut_between_chunks,
    "silence": lambda steps: steps.silence,
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_no_error_shows_the_key_nor_does_a_variable_on_the_way_that_it_came(serve, steps, failure):
    server = serve(failure(steps))
    repository = PostgreSQLSessionRepository(server.url, timeout=0.8, api_key=KEY)

    with pytest.raises(SessionRepositoryError) as failed:
        repository.create_session(Session("s1", SessionType.AGENT))

    assert f"Bearer {KEY}" == server.first().headers["Authorization"]
    assert "" == shown(failed.value)


def test_no_connection_at_all_does_not_show_it_either(closed_url):
    with pytest.raises(SessionRepositoryError, match="ConnectionRefusedError") as failed:
        PostgreSQLSessionRepository(closed_url, timeout=0.2, api_key=KEY).read_session("s1")

    assert "" == shown(failed.value)
    assert isinstance(failed.value.__cause__, ConnectionRefusedError)


def test_nothing_that_holds_the_key_shows_it(serve, steps):
    server = serve(steps.refuse(404, "NotFoundError", {"resource": "session"}))
    repository = PostgreSQLSessionRepository(server.url, api_key=KEY)
    repository.read_session("s1")

    held = list(reachable(repository))

    assert f"PostgreSQLSessionRepository({server.url!r})" == repr(repository)
    assert any(isinstance(thing, str) and KEY in str(thing) for thing in held)
    assert [] == [type(thing) for thing in held if KEY in repr(thing)]


def shown(error: BaseException | None) -> str:
    """Where the key shows in an error, in those below it, or in a variable of the frames that they came through."""
    if error is None:
        return ""
    texts = [f"{type(error).__name__} {error} {vars(error)} {error.args}"]
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename != __file__:
            texts += [f"{frame.f_code.co_filename}:{line} {name}={value!r}" for name, value in frame.f_locals.items()]
    below = shown(error.__cause__) + shown(error.__context__)
    return "".join(f"{text}\n" for text in texts if "canary" in text) + below


def reachable(thing: object, seen: set[int] | None = None) -> Iterator[object]:
    """The thing, and whatever the attributes, items and values of it hold."""
    seen = set() if seen is None else seen
    if id(thing) in seen or isinstance(thing, type):
        return
    seen.add(id(thing))
    yield thing
    held = list(getattr(thing, "__dict__", {}).values())
    held += list(thing.values()) if isinstance(thing, dict) else list(thing) if isinstance(thing, (list, tuple)) else []
    for below in held:
        yield from reachable(below, seen)
