"""What the properties need of the service: requests with exact bodies, answers read exactly, rows by SQL."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.engine import Connection
from werkzeug.test import TestResponse

from session_api.db import Database
from session_api.models import session_agents, session_messages, session_multi_agents, sessions

from ..conftest import new_id

TABLES = (sessions, session_agents, session_messages, session_multi_agents)
COLLECTIONS = {"session": "sessions", "agent": "agents", "message": "messages", "multi_agent": "multi_agents"}


def url(*segments: str | int) -> str:
    """`url(session_id, "agents", agent_id)`: the path, every id quoted; `url()` are all sessions."""
    return "/".join(["/api/v1/sessions", *(quote(str(segment), safe="") for segment in segments)])


def unique(name: str) -> str:
    """An id that no other example has, of at most 255 characters."""
    return f"{name[:242]}-{uuid.uuid4().hex[:12]}"


def post(client: FlaskClient, path: str, body: Any) -> TestResponse:
    return client.post(path, data=json_text(body), content_type="application/json")


def put(client: FlaskClient, path: str, body: Any, headers: dict[str, str] | None = None) -> TestResponse:
    return client.put(path, data=json_text(body), content_type="application/json", headers=headers)


def json_text(body: Any) -> str:
    """As UTF-8 where that can carry it: a lone surrogate is an escape or nothing."""
    written = json.dumps(body, ensure_ascii=False)
    try:
        written.encode()
    except UnicodeEncodeError:
        return json.dumps(body)
    return written


def parsed(response: TestResponse) -> Any:
    return json.loads(response.get_data())


def exact(value: Any) -> str:
    """Value, type and key order in one text: 1, 1.0 and True, 0.0 and -0.0, {a, b} and {b, a} all differ."""
    return repr(value)


def created(client: FlaskClient, path: str, body: Any) -> Any:
    """The answer to a POST that must succeed."""
    response = post(client, path, body)
    assert 201 == response.status_code, response.get_data(as_text=True)
    return parsed(response)


def new_session(client: FlaskClient) -> str:
    session_id = new_id()
    created(client, url(), {"session_id": session_id})
    return session_id


def new_agent(client: FlaskClient, session_id: str, agent_id: str, state: Any = None) -> None:
    body = {"agent_id": agent_id, "state": state or {}, "conversation_manager_state": {}}
    created(client, url(session_id, "agents"), body)


def message(message_id: int, words: str = "Hello") -> dict[str, Any]:
    return {"message_id": message_id, "message": {"role": "user", "content": [{"text": words}]}}


def new_collection(client: FlaskClient, kind: str) -> str:
    """Where resources of this kind can be made, under new parents."""
    if kind == "session":
        return url()
    session_id = new_session(client)
    if kind != "message":
        return url(session_id, COLLECTIONS[kind].replace("_", "-"))
    new_agent(client, session_id, "assistant")
    return url(session_id, "agents", "assistant", "messages")


def listed(client: FlaskClient, path: str, kind: str, **query: Any) -> list[Any]:
    response = client.get(path, query_string=query)
    assert 200 == response.status_code, response.get_data(as_text=True)
    return list(parsed(response)[COLLECTIONS[kind]])


def rows_of(db: Database, *session_ids: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of these sessions as PostgreSQL has it, by table."""

    def read(tx: Connection) -> dict[str, list[tuple[Any, ...]]]:
        return {
            table.name: [
                tuple(row)
                for row in tx.execute(
                    select(table).where(table.c.session_id.in_(session_ids)).order_by(*table.primary_key)
                )
            ]
            for table in TABLES
        }

    return db.run(read)


def keys_of(db: Database, *session_ids: str) -> dict[str, list[tuple[Any, ...]]]:
    """The ids of the rows of these sessions, by table."""
    widths = {table.name: len(table.primary_key) for table in TABLES}
    return {
        name: [(row[0], *row[2 : widths[name]]) for row in rows] for name, rows in rows_of(db, *session_ids).items()
    }


_ORPHANS = text("""
    SELECT 'session_agents', c.session_id, c.agent_id FROM session_agents c
        LEFT JOIN sessions p USING (session_id, tenant_id)
        WHERE p.version IS NULL AND c.session_id = ANY (:session_ids)
    UNION ALL
    SELECT 'session_multi_agents', c.session_id, c.multi_agent_id FROM session_multi_agents c
        LEFT JOIN sessions p USING (session_id, tenant_id)
        WHERE p.version IS NULL AND c.session_id = ANY (:session_ids)
    UNION ALL
    SELECT 'session_messages', c.session_id, c.agent_id || ' ' || c.message_id FROM session_messages c
        LEFT JOIN session_agents p USING (session_id, tenant_id, agent_id)
        WHERE p.version IS NULL AND c.session_id = ANY (:session_ids)
""")


def orphans(db: Database, *session_ids: str) -> list[tuple[Any, ...]]:
    """Rows of these sessions whose parent is not there."""
    return db.run(lambda tx: [tuple(row) for row in tx.execute(_ORPHANS, {"session_ids": list(session_ids)})])
