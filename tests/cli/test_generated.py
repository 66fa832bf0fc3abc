"""Generated projects of both kinds: installed, started, talked to, killed and started again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.conftest import new_id

from .conftest import Installed
from .processes import Api

RUFF = Path(sys.executable).parent / "ruff"
TOLD = ["My favourite colour is teal.", "I will remember that."]
ASKED = ["What is my favourite colour?", "Your favourite colour is teal."]


@pytest.fixture(scope="module")
def environment(installed: Installed, live_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where the project keeps its sessions in this run."""
    if installed.kind == "file":
        return {"SESSION_DIR": str(tmp_path_factory.mktemp("sessions"))}
    return {"SESSION_BACKEND_URL": live_url}


@pytest.fixture(scope="module")
def api(installed: Installed, environment: dict[str, str]) -> Iterator[Api]:
    """The project's API, running."""
    api = installed.start(environment)
    yield api
    api.kill()


def test_a_killed_agent_goes_on_where_it_was(installed, environment, api):
    session_id = new_id()
    first = installed.start(environment)
    told = first.say(session_id, TOLD[0])
    first.kill()
    gone = first.process.returncode

    asked = api.say(session_id, ASKED[0])

    assert (TOLD[1], -9, ASKED[1]) == (told, gone, asked)
    assert TOLD + ASKED == api.history(session_id)
    assert session_id in api.session_ids()


def test_a_streamed_answer_comes_piece_by_piece_and_is_kept(api):
    session_id = new_id()

    events = list(api.stream(session_id, TOLD[0]))

    names = [name for name, _ in events]
    assert ["session", *["text"] * 4, "done"] == names
    assert TOLD[1] == "".join(data["text"] for name, data in events if name == "text")
    assert TOLD == api.history(session_id)


def test_a_streamed_answer_is_kept_whole_when_nobody_listens_any_more(api):
    session_id = new_id()
    stream = api.stream(session_id, TOLD[0])

    begun = [next(stream), next(stream)]
    stream.close()
    api.say(session_id, "Hello.")  # a turn at a time: it waits for the one before

    assert ["session", "text"] == [name for name, _ in begun]
    assert [*TOLD, "Hello.", TOLD[1]] == api.history(session_id)


def test_several_sessions_at_once_know_nothing_of_each_other(api):
    colours = {new_id(): colour for colour in ("teal", "red", "blue", "green", "black", "white")}
    with ThreadPoolExecutor(len(colours)) as threads:
        list(threads.map(lambda one: api.say(one[0], f"My favourite colour is {one[1]}."), colours.items()))
        answers = dict(zip(colours, threads.map(lambda one: api.say(one, ASKED[0]), colours), strict=True))

    assert {one: f"Your favourite colour is {colour}." for one, colour in colours.items()} == answers
    assert set(colours) <= set(api.session_ids())


def test_turns_of_one_session_at_once_are_taken_one_after_the_other(api):
    session_id = new_id()
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda number: api.say(session_id, f"Turn {number}."), range(6)))

    said = api.history(session_id)
    assert [TOLD[1]] * 6 == answers == said[1::2]
    assert {f"Turn {number}." for number in range(6)} == set(said[::2])


def test_a_forgotten_session_is_gone(api):
    session_id = new_id()
    api.say(session_id, TOLD[0])

    deleted = requests.delete(f"{api.url}/sessions/{session_id}")
    again = requests.delete(f"{api.url}/sessions/{session_id}")
    history = requests.get(f"{api.url}/sessions/{session_id}/history")

    assert (204, 404, 404) == (deleted.status_code, again.status_code, history.status_code)
    assert "You have not told me your favourite colour." == api.say(session_id, ASKED[0])


@pytest.mark.parametrize("body", [{}, {"prompt": ""}, {"prompt": "x", "session_id": "a/b"}, {"prompt": 1}, []])
def test_a_body_that_is_none_is_refused(api, body):
    assert 422 == requests.post(f"{api.url}/process", json=body).status_code


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (r'{"prompt": "\ud83d"}', "prompt"),
        (r'{"prompt": "x", "session_id": "\ud83d"}', "session_id"),
        ('{"prompt": NaN}', "prompt"),
        (r'{"said": "\ud83d"}', "prompt"),
    ],
)
def test_a_body_that_no_answer_can_quote_is_refused_with_a_reason(api, body, field):
    answer = requests.post(f"{api.url}/process", data=body, headers={"Content-Type": "application/json"})

    assert 422 == answer.status_code
    (fault,) = answer.json()["detail"]
    assert (["body", field], True) == (fault["loc"], bool(fault["msg"]))


def test_an_odd_session_id_works_in_paths_as_well(api):
    session_id = f"ünï @:%2F?&{new_id()}"
    api.say(session_id, TOLD[0])

    history = requests.get(f"{api.url}/sessions/{requests.utils.quote(session_id, safe='')}/history")

    assert (200, 2) == (history.status_code, len(history.json()["messages"]))


def test_it_says_that_it_is_well(api):
    assert {"status": "healthy", "session_backend": "reachable"} == requests.get(f"{api.url}/health").json()
    assert 200 == requests.get(f"{api.url}/health/ready").status_code
    assert 200 == requests.get(f"{api.url}/openapi.json").status_code


def test_its_own_tests_pass(installed, environment):
    done = subprocess.run(
        [installed.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=installed.directory,
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
    )

    assert 0 == done.returncode, done.stdout
    assert "10 passed" in done.stdout


def test_its_code_is_as_its_own_linter_wants_it(installed):
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [RUFF, *check, "--no-cache", "."], cwd=installed.directory, capture_output=True, text=True
        )

        assert 0 == done.returncode, done.stdout


@pytest.fixture(scope="module")
def lonely(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The project's API where no session can be kept."""
    file = tmp_path_factory.mktemp("lonely") / "file"
    file.touch()
    api = installed.start({"SESSION_BACKEND_URL": "http://127.0.0.1:1", "SESSION_DIR": str(file)})
    yield api
    api.kill()


def test_an_agent_that_cannot_keep_sessions_lives_and_is_not_ready(lonely):
    health, ready = (requests.get(f"{lonely.url}/health{path}") for path in ("", "/ready"))

    assert (200, "unreachable") == (health.status_code, health.json()["session_backend"])
    assert (503, "not ready") == (ready.status_code, ready.json()["status"])


def test_an_agent_that_cannot_keep_sessions_says_so(installed, lonely):
    session_id = new_id()
    with ThreadPoolExecutor(2) as threads:  # the client tries again for some seconds
        answer = threads.submit(requests.post, f"{lonely.url}/process", json={"prompt": "x", "session_id": session_id})
        events = threads.submit(lambda: list(lonely.stream(new_id(), "x")))

    assert (503 if installed.kind == "postgresql" else 500) == answer.result().status_code
    assert answer.result().json()["detail"]
    assert ["session", "error"] == [name for name, _ in events.result()]
