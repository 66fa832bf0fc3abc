"""What a large body costs a worker: at most eight times its size, while it is there."""

from __future__ import annotations

import gc
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
import requests
from flask.testing import FlaskClient
from sqlalchemy.engine import Connection

from session_api import config, strict_json, weight
from session_api.db import Database
from session_api.errors import Invalid
from session_api.models import AgentKey, MessageKey
from session_api.store import messages

from .conftest import AGENT, ROOT, environment, free_port, make_settings, new_id, wait_until_ready

LARGEST = 8 * 2**20
CONTENT = LARGEST - 1024
TIMES = 8

NO_TIMES = {"created_at": None, "updated_at": None}
JSON = {"Content-Type": "application/json"}
TEXT = "What was said, in some length. " * 12


class Worker(NamedTuple):
    """The only worker of a service."""

    url: str
    process: int

    def forget_the_peak(self) -> None:
        Path(f"/proc/{self.process}/clear_refs").write_text("5")

    def bytes(self, of: str) -> int:
        """`VmRSS`: what it takes now; `VmHWM`: what it took at its peak."""
        found = re.search(rf"{of}:\s+(\d+)", Path(f"/proc/{self.process}/status").read_text())
        assert found
        return int(found[1]) * 1024


@pytest.fixture(scope="module")
def worker(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    port = free_port()
    log = tmp_path_factory.mktemp("memory") / "log"
    settings = {"API_PORT": str(port), "API_WORKERS": "1", "API_MAX_BODY_BYTES": str(LARGEST), "LOG_LEVEL": "WARNING"}
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "wsgi:app"],
        cwd=ROOT,
        env=environment(DATABASE_URL=database_url, **settings),
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
    )
    url = f"http://127.0.0.1:{port}"
    wait_until_ready(url, process, log)
    (only,) = psutil.Process(process.pid).children()
    yield Worker(url, only.pid)
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="module")
def agent(worker: Worker) -> str:
    """The URL of an agent, behind whose making the worker has all that it needs for small requests."""
    session_id = new_id()
    sessions = f"{worker.url}/api/v1/sessions"
    requests.post(sessions, json={"session_id": session_id}).raise_for_status()
    requests.post(f"{sessions}/{session_id}/agents", json=AGENT).raise_for_status()
    return f"{sessions}/{session_id}/agents/{AGENT['agent_id']}"


def many(item: str, separator: str = ",") -> bytes:
    item = item + separator
    return (item * (CONTENT // len(item.encode())))[: -len(separator) or None].encode()


def a_list(item: str) -> bytes:
    return b"[" + many(item) + b"]"


def numbers(form: str) -> bytes:
    of = random.Random(5)
    return a_list(",".join(form.format(of.random()) for _ in range(1000)))


def a_conversation(word: str) -> bytes:
    said = {"role": "user", "content": [{"text": TEXT + word}]}
    used = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "search", "input": {"limit": 10}}}]}
    result = {"toolResult": {"toolUseId": "1", "status": "success", "content": [{"text": TEXT}]}}
    turns = json.dumps([said, used, {"role": "user", "content": [result]}], ensure_ascii=False)
    return a_list(turns[1:-1])


ACCEPTED: dict[str, Callable[[], bytes]] = {
    "an image in base64": lambda: b'"' + many("iVBORw0K", "") + b'"',
    "text in Latin": lambda: b'"' + many("é", "") + b'"',
    "text with one emoji": lambda: b'"' + many("a", "")[:-4] + "😀".encode() + b'"',
    "text with half an emoji": lambda: b'"' + many("😀", "")[:-8] + b'\\ud83d"',
    "escapes": lambda: b'"' + many("\\u65e5", "") + b'"',
    "apostrophes": lambda: b'"' + many("'", "") + b'"',
    "JSON in a string": lambda: b'"' + many('{\\"a\\":[1,2]},', "") + b'"',
    "a conversation": lambda: a_conversation("😀"),
    "floats": lambda: numbers("{!r}"),
    "short floats": lambda: numbers("{:.4f}"),
}
REFUSED: dict[str, Callable[[], bytes]] = {
    "empty lists": lambda: a_list("[]"),
    "empty objects": lambda: a_list("{}"),
    "objects of one key": lambda: a_list('{"":0}'),
    "short strings": lambda: a_list('"日"'),
    "keys": lambda: b"{" + b",".join(b'"%x":0' % number for number in range(CONTENT // 10)) + b"}",
    "lists in lists": lambda: a_list("[" * 90 + "]" * 90),
    "too many levels behind escapes": lambda: b'["' + many("\\n", "")[:-400] + b'",' + b"[" * 150 + b"]" * 150 + b"]",
    "a number too large at the end": lambda: numbers("{!r}")[:-40] + b",1e400]",
}


def test_a_large_body_costs_eight_times_its_size_at_most_and_nothing_afterwards(worker: Worker, agent: str) -> None:
    costs: dict[str, float] = {}
    before = worker.bytes("VmRSS")

    def measure(name: str, method: str, url: str, body: bytes | None, status: int) -> None:
        worker.forget_the_peak()
        level = worker.bytes("VmRSS")
        # In pieces, a body is sent chunked.
        sent = iter([body[: LARGEST // 2], body[LARGEST // 2 :]]) if body and name.endswith("short floats") else body
        assert status == requests.request(method, url, data=sent, headers=JSON).status_code, (name, method)
        costs[f"{method} of {name}, {status}"] = (worker.bytes("VmHWM") - level) / LARGEST

    for number, (name, make) in enumerate(ACCEPTED.items()):
        message = b'{"role":"user","content":%b}' % make()
        new = b'{"message_id":%d,"message":%b}' % (number, message)
        measure(name, "POST", f"{agent}/messages", new, 201)
        measure(name, "POST", f"{agent}/messages", new, 409)
        if name == "text with one emoji":
            measure(name, "GET", f"{agent}/messages/{number}", None, 200)
            measure(name, "GET", f"{agent}/messages?limit=1&offset={number}", None, 200)
            measure(name, "PUT", f"{agent}/messages/{number}", b'{"redact_message":%b}' % message, 200)
            measure(name, "PUT", agent, b'{"state":%b}' % message, 200)
    for name, make in REFUSED.items():
        measure(name, "PUT", agent, b'{"state":{"value":%b}}' % make(), 400)

    assert {} == {name: cost for name, cost in costs.items() if cost > TIMES}
    assert worker.bytes("VmRSS") - before < 4 * LARGEST


def test_a_page_costs_three_times_its_bytes_of_which_it_has_as_many_as_four_bodies_at_most(
    worker: Worker, agent: str
) -> None:
    text = many("words, ", "").decode()
    messages = f"{agent.rpartition('/')[0]}/many/messages"
    requests.post(agent.rpartition("/")[0], json={**AGENT, "agent_id": "many"}).raise_for_status()
    for number in range(12):
        message = {"role": "user", "content": [{"text": text}]}
        requests.post(messages, json={"message_id": number, "message": message}).raise_for_status()
    costs = {}
    for query, status, bound in ((f"max_bytes={LARGEST}", 200, 1), ("limit=4", 200, 4), ("limit=1000", 400, 4)):
        worker.forget_the_peak()
        level = worker.bytes("VmRSS")
        assert status == requests.get(f"{messages}?{query}").status_code, query
        costs[query] = (worker.bytes("VmHWM") - level) / LARGEST / bound

    assert {} == {query: cost for query, cost in costs.items() if cost > 3.5}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_refused_for_what_it_is(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        strict_json.loads(b'{"value":' + REFUSED[name]() + b"}", LARGEST)

    (sentence,) = {sentence for sentences in refusal.value.details.values() for sentence in sentences}
    expected = {
        "too many levels behind escapes": "Is nested deeper than 100 levels.",
        "a number too large at the end": "Is beyond the range of a double.",
    }
    assert expected.get(name, "Holds too many values for one request: numbers, strings, lists or objects.") == sentence


def test_a_small_body_may_hold_anything() -> None:
    assert not weight.is_too_much("[" * (LARGEST // 16), LARGEST)


def test_what_a_string_holds_does_not_count_as_values() -> None:
    body = b'{"text":"' + many('\\\\\\",[{:', "") + b'"}'

    assert strict_json.loads(body, LARGEST)


def test_the_limit_grows_with_that_of_the_body() -> None:
    body = a_list("[]")
    with pytest.raises(Invalid):
        strict_json.loads(body, LARGEST)

    assert strict_json.loads(body, 8 * LARGEST)


def test_the_default_is_that_of_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTH_MODE", "none")
    monkeypatch.delenv("API_MAX_BODY_BYTES", raising=False)

    assert strict_json.LARGEST == config.load(tmp_path / ".env").api_max_body_bytes


@pytest.mark.parametrize(("size", "is_kept"), [(1000, True), (2**20, False)])
def test_a_connection_that_has_carried_much_is_not_kept(
    database_url: str, agent_key: AgentKey, size: int, is_kept: bool
) -> None:
    db = Database(make_settings(database_url, database_pool_size=1, database_max_overflow=0))
    document = strict_json.dumps({"role": "user", "content": "a" * size})
    connections = [db.run(_connection)]

    db.run(messages.append, MessageKey(*agent_key, 0), {"message": document, "redact_message": None, **NO_TIMES})
    connections.append(db.run(_connection))
    read = db.read(messages.read, MessageKey(*agent_key, 0))
    connections.append(db.run(_connection))
    db.dispose()

    assert document == read.message
    assert (is_kept, is_kept) == (connections[0] is connections[1], connections[1] is connections[2])


def _connection(tx: Connection) -> Any:
    return tx.connection.dbapi_connection


@pytest.mark.parametrize(
    "body", ['{"message":{"content":"%s"}}', '{"message":{"content":"%s"}', '{"message":{"content":"%s"},"x":NaN}']
)
def test_what_was_refused_is_gone_without_a_collection_of_garbage(
    client: FlaskClient, agent_url: str, body: str
) -> None:
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        refused = client.post(f"{agent_url}/messages", data=body % ("a" * 100_000), headers=JSON)
        gc.collect()
        left = [part for thing in gc.garbage for part in gc.get_referents(thing) if isinstance(part, (str, bytes))]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()

    assert 400 == refused.status_code
    assert not [part for part in left if len(part) >= 100_000]
