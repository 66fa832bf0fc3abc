"""What is refused: the answer says why, by the path of each field, and nothing was changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from werkzeug.test import TestResponse

from session_api import create_app
from session_api.db import Database

from . import api, strategies
from .strategies import Refused

BODY_LIMIT = 32_768
KINDS = st.sampled_from(strategies.KINDS)
JSON = {"Content-Type": "application/json"}


class World(NamedTuple):
    """A session with one of each; `own` and `collection` are the URLs by kind."""

    session_id: str
    own: dict[str, str]
    collection: dict[str, str]


@pytest.fixture
def world(client: FlaskClient) -> World:
    session_id = api.new_session(client)
    agent = (session_id, "agents", "assistant")
    own = {
        "session": api.url(session_id),
        "agent": api.url(*agent),
        "message": api.url(*agent, "messages", 7),
        "multi_agent": api.url(session_id, "multi-agents", "graph"),
    }
    api.new_agent(client, session_id, "assistant", {"kept": True})
    api.created(client, api.url(*agent, "messages"), api.message(0))
    api.created(client, api.url(*agent, "messages"), api.message(7))
    api.created(client, api.url(session_id, "multi-agents"), {"multi_agent_id": "graph", "state": {}})
    return World(session_id, own, {kind: path.rpartition("/")[0] for kind, path in own.items()})


@settings(max_examples=100)
@given(kind=KINDS, data=st.data())
def test_property_11_validation_errors_name_the_broken_fields(
    client: FlaskClient, world: World, kind: str, data: st.DataObject
) -> None:
    """Feature: session-backend-api, Property 11: Validation errors described"""
    creates = data.draw(st.booleans())
    sent = data.draw(strategies.refused(kind) if creates else strategies.refused_fields(kind, creates=False))
    path = world.collection[kind] if creates else world.own[kind]

    response = client.open(path, method="POST" if creates else "PUT", data=sent.text, headers=JSON)

    assert sent.paths == _described(response).keys()


@settings(max_examples=100)
@given(
    kind=KINDS,
    depth=st.integers(strategies.DEEPEST + 1, strategies.DEEPEST + 400),
    lists=st.booleans(),
)
def test_property_11_validation_errors_name_what_is_nested_too_deep(
    client: FlaskClient, world: World, kind: str, depth: int, lists: bool
) -> None:
    """Feature: session-backend-api, Property 11: Validation errors described"""
    field = {"session": "multi_agent_state", "message": "redact_message"}.get(kind, "state")
    nested = '{"k":' + ("[" if lists else '{"d":') * (depth - 1) + "0" + ("]" if lists else "}") * (depth - 1) + "}"

    response = client.put(world.own[kind], data=f'{{"{field}":{nested}}}', headers=JSON)

    (path,) = _described(response)
    assert path.startswith(f"{field}.k.{'0' if lists else 'd'}")


@settings(max_examples=100)
@given(kind=KINDS, data=st.data())
def test_property_11_validation_errors_say_what_an_id_in_the_path_must_be(
    client: FlaskClient, world: World, kind: str, data: st.DataObject
) -> None:
    """Feature: session-backend-api, Property 11: Validation errors described"""
    bad_id = data.draw(strategies.refused_message_ids if kind == "message" else strategies.refused_ids)

    response = client.get(f"{world.collection[kind]}/{api.quote(bad_id, safe='', errors='surrogatepass')}")

    (sentences,) = _described(response).values()
    assert sentences[0].startswith("Must ")


def _described(response: TestResponse) -> dict[str, list[str]]:
    """The details of a 400, which has the one shape of all errors."""
    assert 400 == response.status_code, response.get_data(as_text=True)
    body = api.parsed(response)
    assert ["error", "message", "details", "timestamp", "request_id"] == list(body)
    assert "ValidationError" == body["error"]
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert datetime.fromisoformat(body["timestamp"]).tzinfo is not None
    path, sentences = next(iter(body["details"].items()))
    assert body["message"].startswith(f"{path}: {sentences[0]}")
    for sentences in body["details"].values():
        assert sentences
        assert all(isinstance(sentence, str) and sentence.endswith(".") for sentence in sentences)
    return dict(body["details"])


class Attempt(NamedTuple):
    """A request that must not succeed, and the status of the answer."""

    method: str
    path: str
    body: str
    headers: dict[str, str]
    status: int
    length: str = ""  # what Content-Length says, where that is not the length


@pytest.fixture(scope="module")
def strict_app(app: Flask) -> Iterator[Flask]:
    """The service with a small limit for bodies, over the same database."""
    strict = create_app(replace(app.extensions["session_api_settings"], api_max_body_bytes=BODY_LIMIT))
    yield strict
    strict.extensions["session_api_database"].dispose()


@pytest.fixture
def undeletable(db: Database, world: World) -> Iterator[None]:
    """Message 7 of the world can't be deleted or changed: the disk is full when it comes to that row."""
    statements = [
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$""",
        f"""CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON session_messages FOR EACH ROW
            WHEN (old.session_id = '{world.session_id}' AND old.message_id = 7) EXECUTE FUNCTION refuse()""",
    ]
    for statement in statements:
        db.run(lambda tx, statement=statement: tx.execute(text(statement)))
    yield
    db.run(lambda tx: tx.execute(text("DROP FUNCTION refuse CASCADE")))


@settings(max_examples=150)
@given(data=st.data())
def test_property_13_atomicity(
    strict_app: Flask, db: Database, world: World, undeletable: None, data: st.DataObject
) -> None:
    """Feature: session-backend-api, Property 13: Atomicity"""
    attempt = data.draw(attempts(world))
    before = _everything(db, world)

    response = strict_app.test_client().open(
        attempt.path,
        method=attempt.method,
        data=attempt.body,
        headers=attempt.headers,
        environ_overrides={"CONTENT_LENGTH": attempt.length} if attempt.length else None,
    )

    assert attempt.status == response.status_code, (attempt, response.get_data(as_text=True))
    assert before == _everything(db, world)


def _everything(db: Database, world: World) -> Any:
    """The rows of the world, and how many rows there are in all."""
    counts = select(*(select(func.count()).select_from(table).scalar_subquery() for table in api.TABLES))
    return api.rows_of(db, world.session_id), tuple(db.run(lambda tx: tx.execute(counts).one()))


@st.composite
def attempts(draw: st.DrawFn, world: World) -> Attempt:
    kind = draw(KINDS)
    return draw(
        st.one_of(
            strategies.refused(kind).map(lambda sent: _post(world.collection[kind], sent, 400)),
            strategies.refused_fields(kind, creates=False).map(lambda sent: _put(world.own[kind], sent, 400)),
            strategies.bodies(kind).map(lambda body: _post(world.collection[kind], _again(world, kind, body), 409)),
            _orphaned(world),
            _missing(world, kind),
            _stale(world, kind),
            _badly_sent(world, kind),
            st.sampled_from(["session", "agent", "message"]).map(
                lambda kind: Attempt("DELETE", world.own[kind], "", {}, 503)
            ),
            strategies.changes("message").map(
                lambda body: _put(world.own["message"], Refused(json.dumps(body), set()), 503)
            ),
        )
    )


def _post(path: str, sent: Refused, status: int) -> Attempt:
    return Attempt("POST", path, sent.text, JSON, status)


def _put(path: str, sent: Refused, status: int) -> Attempt:
    return Attempt("PUT", path, sent.text, JSON, status)


def _again(world: World, kind: str, body: dict[str, Any]) -> Refused:
    """A body for what is there already."""
    own_id = world.own[kind].rpartition("/")[2]
    return Refused(json.dumps({**body, f"{kind}_id": int(own_id) if kind == "message" else own_id}), set())


@st.composite
def _orphaned(draw: st.DrawFn, world: World) -> Attempt:
    """A child of a parent that does not exist."""
    kind = draw(st.sampled_from(["agent", "message", "multi_agent"]))
    missing = {world.session_id: api.new_id(), "assistant": "nobody"} if kind == "message" else {}
    old, new = draw(st.sampled_from([*missing.items(), (world.session_id, api.new_id())]))
    body = draw(strategies.bodies(kind))
    return _post(world.collection[kind].replace(old, new), Refused(json.dumps(body), set()), 404)


@st.composite
def _missing(draw: st.DrawFn, world: World, kind: str) -> Attempt:
    """A change or a deletion of what is not there, or can't be."""
    name, status = draw(st.sampled_from([("12345", 404), ("..", 400), ("%00", 400), ("%20", 400), ("a%5Cb", 400)]))
    path = f"{world.collection[kind]}/{name}"
    if draw(st.booleans()):
        return Attempt("DELETE", path, "", {}, status)
    return _put(path, Refused(json.dumps(draw(strategies.changes(kind))), set()), status)


@st.composite
def _stale(draw: st.DrawFn, world: World, kind: str) -> Attempt:
    """A write on a condition that does not hold, or isn't one."""
    condition, status = draw(
        st.sampled_from([('"0"', 412), ('"x"', 412), ('W/"1"', 412), ('"1", "2"', 412), ("1", 400), ('"', 400)])
    )
    method, body = draw(
        st.one_of(st.just(("DELETE", "")), strategies.changes(kind).map(lambda body: ("PUT", json.dumps(body))))
    )
    return Attempt(method, world.own[kind], body, {**JSON, "If-Match": condition}, status)


@st.composite
def _badly_sent(draw: st.DrawFn, world: World, kind: str) -> Attempt:
    """A good body in a request that is refused before or while the body is read."""
    body = {**draw(strategies.bodies(kind)), f"{kind}_id": 12345 if kind == "message" else api.new_id()}
    sent = json.dumps(body)
    collection, own = world.collection[kind], world.own[kind]
    return draw(
        st.sampled_from(
            [
                Attempt("POST", collection, sent, {"Content-Type": "text/plain"}, 415),
                Attempt("POST", collection, sent, {}, 415),
                Attempt("POST", collection, sent, {**JSON, "Content-Encoding": "gzip"}, 415),
                Attempt("POST", collection, sent, {**JSON, "Accept": "text/html"}, 406),
                Attempt("POST", collection, sent, JSON, 400, length=str(len(sent) + 9)),
                Attempt("POST", collection, sent + " " * BODY_LIMIT, JSON, 413),
                Attempt("PATCH", own, sent, JSON, 405),
                Attempt("DELETE", collection, "", {}, 405),
                Attempt("PUT", collection, sent, JSON, 405),
                Attempt("POST", own, sent, JSON, 405),
                Attempt("POST", f"{collection}/", sent, JSON, 404),
            ]
        )
    )
