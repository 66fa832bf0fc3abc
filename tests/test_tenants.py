"""Another tenant's rows cannot be told from rows that never were: over every route and method of the app."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient

from session_api import create_app
from session_api.db import Database

from .conftest import AGENT, HELLO, bearer, keyed, make_settings, new_id, new_key
from .sent import statements_of

ROUTES = {
    (rule.rule, method)
    for rule in create_app(make_settings("postgresql://localhost/none")).url_map.iter_rules()
    for method in rule.methods or ()
}
# What these answer does not depend on who asks.
PAGES = re.compile(r"/(health(/\w+)?|metrics|docs(/assets/.*)?|redoc|openapi\.json|static/.*)")
WITHOUT_TENANT = {(rule, method) for rule, method in ROUTES if PAGES.fullmatch(rule)}
# Parents first.
MEMBERS = sorted({rule for rule, method in ROUTES if method == "PUT"}, key=len)


class Tenant:
    """A key, and requests that carry it."""

    def __init__(self, app: Flask) -> None:
        self.name = new_id("tenant")
        self.client: FlaskClient = app.test_client()
        self.headers = bearer(new_key(app, "admin", tenant=self.name))

    def ask(self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        return self.client.open(url, method=method, json=body, headers={**self.headers, **(headers or {})})


class Seen(NamedTuple):
    """All that a caller sees of an answer, and what it cost; without what differs between any two answers."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    statements: list[str]


@pytest.fixture(scope="module")
def app(database_url: str) -> Iterator[Flask]:
    app = create_app(keyed(database_url))
    yield app
    app.extensions["session_api_database"].dispose()


@pytest.fixture(scope="module")
def db(app: Flask) -> Database:
    return app.extensions["session_api_database"]


@pytest.fixture(scope="module")
def ann(app: Flask) -> Tenant:
    return Tenant(app)


@pytest.fixture(scope="module")
def bob(app: Flask) -> Tenant:
    """He has rows, too, so that his lists are not empty."""
    bob = Tenant(app)
    family(bob, "bob-own")
    return bob


def family(tenant: Tenant, session_id: str) -> str:
    """A session with an agent, a message and a multi-agent."""
    url = f"/api/v1/sessions/{session_id}"
    for collection, body in (
        ("/api/v1/sessions", {"session_id": session_id}),
        (f"{url}/agents", AGENT),
        (f"{url}/agents/assistant/messages", HELLO),
        (f"{url}/multi-agents", {"multi_agent_id": "graph", "state": {}}),
    ):
        assert 201 == tenant.ask("POST", collection, body).status_code
    return session_id


def url_of(rule: str, session_id: str) -> str:
    ids = {"session_id": session_id, "agent_id": "assistant", "message_id": "0", "multi_agent_id": "graph"}
    return re.sub(r"<\w+:(\w+)>", lambda match: ids[match[1]], rule)


def seen(tenant: Tenant, db: Database, session_id: str, **question: Any) -> Seen:
    with statements_of(db) as sent:
        answer = tenant.ask(**question)
    body = answer.get_data(as_text=True).replace(session_id, "SESSION")
    body = re.sub(r'"(timestamp|request_id|created_at|updated_at)": ?"[^"]*"', r'"\1"', body)
    random = {"X-Request-ID", "Date"} | ({"ETag"} if answer.status_code == 201 else set())
    headers = [(name, "" if name in random else value.replace(session_id, "SESSION")) for name, value in answer.headers]
    # Whose key it is, is asked every few seconds, whatever the question.
    return Seen(answer.status_code, headers, body, [statement for statement in sent if "api_keys" not in statement])


@dataclass(frozen=True)
class Question:
    """One request, asked about a session of the other tenant and about one that nobody has."""

    rule: str
    method: str
    body: Any
    query: str
    headers: Mapping[str, str]

    def about(self, session_id: str) -> dict[str, Any]:
        body = self.body
        if self.rule.endswith("/sessions") and body:
            body = {**body, "session_id": session_id}
        return {
            "method": self.method,
            "url": url_of(self.rule, session_id) + self.query.format(session_id),
            "body": body,
            "headers": self.headers,
        }


# Valid bodies of a POST or a PUT, by the last part of the rule.
BODIES: dict[str, Any] = {
    "sessions": {"session_type": "X"},
    "agents": {**AGENT, "agent_id": "another"},
    "messages": {**HELLO, "message_id": 7},
    "multi-agents": {"multi_agent_id": "another", "state": {}},
    "<session_id:session_id>": {"session_type": "X"},
    "<agent_id:agent_id>": {"state": {"a": 1}},
    "<message_id:message_id>": {"redact_message": {"role": "user", "content": []}},
    "<multi_agent_id:multi_agent_id>": {"state": {"a": 1}},
}


def questions(rule: str, method: str, tag: str, after: str | None) -> Iterator[Question]:
    """Every way to ask at this route; `tag` and `after` are what the other tenant was given there."""
    bodies = [BODIES[rule.rpartition("/")[2]], {}] if method in ("POST", "PUT") else [None]
    queries = [""]
    if method in ("GET", "HEAD") and not rule.endswith(">"):
        queries += ["?total=false", "?limit=0", "?order=desc", "?prefix={}", *([f"?after={after}"] if after else [])]
    conditions: list[dict[str, str]] = [{}]
    for value in (tag, "*", '"5f3a"'):
        conditions += [{"If-Match": value}, {"If-None-Match": value}]
    for body, query, headers in product(bodies, queries, conditions):
        yield Question(rule, method, body, query, headers)


@pytest.mark.parametrize(("rule", "method"), sorted(ROUTES - WITHOUT_TENANT), ids=str)
def test_what_belongs_to_another_tenant_looks_as_if_it_never_was(
    db: Database, ann: Tenant, bob: Tenant, rule: str, method: str
) -> None:
    foreign, absent = family(ann, new_id()), new_id()
    before = [ann.ask("GET", url_of(each, foreign)) for each in MEMBERS]
    tag = ann.ask("GET", url_of(rule, foreign)).headers["ETag"]
    after = (ann.ask("GET", url_of(rule, foreign) + "?limit=1").json or {}).get("next")

    for question in questions(rule, method, tag, after):
        of_foreign, of_absent = (seen(bob, db, each, **question.about(each)) for each in (foreign, absent))
        assert of_absent == of_foreign, question
        if rule != "/api/v1/sessions" and method != "OPTIONS":
            assert of_foreign.status in (400, 404), question
            assert of_foreign.statements or 400 == of_foreign.status
    assert [(answer.data, answer.headers["ETag"]) for answer in before] == [
        (answer.data, answer.headers["ETag"]) for answer in (ann.ask("GET", url_of(each, foreign)) for each in MEMBERS)
    ]


def test_pages_without_a_tenant_hold_nobody_s_name(app: Flask, ann: Tenant) -> None:
    session_id = family(ann, new_id())
    pages = {rule.replace("<name>", "swagger-ui.css").replace("<path:filename>", "redoc-start.js")
             for rule, _ in WITHOUT_TENANT}  # fmt: skip
    answers = {page: app.test_client().get(page, headers=ann.headers) for page in pages}

    assert {200} == {answer.status_code for answer in answers.values()}
    assert [] == [page for page, answer in answers.items() if session_id in answer.text or ann.name in answer.text]


def test_every_tenant_may_use_every_id_and_writes_its_own_rows_only(ann: Tenant, bob: Tenant) -> None:
    session_id = new_id()
    for tenant in (ann, bob):
        family(tenant, session_id)
    before = [ann.ask("GET", url_of(rule, session_id)).data for rule in MEMBERS]

    for rule in MEMBERS:
        assert 200 == bob.ask("PUT", url_of(rule, session_id), BODIES[rule.rpartition("/")[2]]).status_code
    assert before == [ann.ask("GET", url_of(rule, session_id)).data for rule in MEMBERS]
    for rule in MEMBERS[::-1]:
        assert 204 == bob.ask("DELETE", url_of(rule, session_id)).status_code
    assert before == [ann.ask("GET", url_of(rule, session_id)).data for rule in MEMBERS]


def test_lists_and_totals_count_one_s_own_and_a_foreign_cursor_is_only_a_position(app: Flask) -> None:
    first, second = Tenant(app), Tenant(app)
    ids: dict[str, list[str]] = {first.name: [], second.name: []}
    for number in range(6):
        tenant = (first, second)[number % 2]
        ids[tenant.name].append(family(tenant, f"{number}-{new_id()}"))

    for tenant, other in ((first, second), (second, first)):
        page = tenant.ask("GET", "/api/v1/sessions?limit=2").json
        rest = tenant.ask("GET", f"/api/v1/sessions?after={page['next']}").json
        own = [session["session_id"] for session in page["sessions"] + rest["sessions"]]
        assert (ids[tenant.name], 3, 3) == (own, page["total"], rest["total"])
        foreign = other.ask("GET", f"/api/v1/sessions?after={page['next']}").json
        assert [name for name in ids[other.name] if name > own[1]] == [
            session["session_id"] for session in foreign["sessions"]
        ]
        assert 3 == foreign["total"]
