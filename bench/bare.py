"""The yardstick: the same rows by the same SQL in bare Flask, with raw psycopg2 and orjson, nothing checked."""

from __future__ import annotations

import os
from queue import Empty, LifoQueue
from typing import Any

import orjson
import psycopg2
from flask import Flask, Response, request
from psycopg2.extras import register_default_json

from session_api import deadline

deadline.install()  # whoever runs in greenlets has to wait in them
register_default_json(loads=orjson.loads)
_idle: LifoQueue[Any] = LifoQueue()
app = Flask(__name__)

INSERT = """
    INSERT INTO session_messages
        (session_id, tenant_id, agent_id, message_id, message, redact_message, version, created_at, updated_at)
    VALUES (%s, 'default', %s, %s, %s, NULL, 1, now(), now()) ON CONFLICT DO NOTHING
    RETURNING created_at, updated_at
"""
LIST = """
    SELECT message_id, message, redact_message, created_at, updated_at FROM session_messages
    WHERE session_id = %s AND tenant_id = 'default' AND agent_id = %s ORDER BY message_id LIMIT %s
"""
UPDATE = """
    UPDATE session_agents SET state = %s, version = 2, updated_at = now()
    WHERE session_id = %s AND tenant_id = 'default' AND agent_id = %s
    RETURNING state, conversation_manager_state, internal_state, created_at, updated_at
"""
AGENT = """
    SELECT state, conversation_manager_state, internal_state, created_at, updated_at FROM session_agents
    WHERE session_id = %s AND tenant_id = 'default' AND agent_id = %s
"""
SESSION = """
    SELECT session_type, multi_agent_state, created_at, updated_at FROM sessions
    WHERE session_id = %s AND tenant_id = 'default'
"""


def rows(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    try:
        connection = _idle.get_nowait()
    except Empty:
        connection = psycopg2.connect(os.environ["DATABASE_URL"])
        connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    _idle.put(connection)
    return found


def answer(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, mimetype="application/json")


def message(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(("message_id", "message", "redact_message", "created_at", "updated_at"), row, strict=True))


_AGENT = ("state", "conversation_manager_state", "internal_state", "created_at", "updated_at")
_PREFIX = "/api/v1/sessions/<session_id>"


@app.post(f"{_PREFIX}/agents/<agent_id>/messages")
def append(session_id: str, agent_id: str) -> Response:
    new = orjson.loads(request.get_data())
    document = orjson.dumps(new["message"]).decode()
    times = rows(INSERT, session_id, agent_id, new["message_id"], document)[0]
    return answer(message((new["message_id"], new["message"], None, *times)), 201)


@app.get(f"{_PREFIX}/agents/<agent_id>/messages")
def page(session_id: str, agent_id: str) -> Response:
    return answer({"messages": [message(row) for row in rows(LIST, session_id, agent_id, int(request.args["limit"]))]})


@app.put(f"{_PREFIX}/agents/<agent_id>")
def put_agent(session_id: str, agent_id: str) -> Response:
    state = orjson.dumps(orjson.loads(request.get_data())["state"]).decode()
    return answer(dict(zip(_AGENT, rows(UPDATE, state, session_id, agent_id)[0], strict=True), agent_id=agent_id))


@app.get(f"{_PREFIX}/agents/<agent_id>")
def agent(session_id: str, agent_id: str) -> Response:
    return answer(dict(zip(_AGENT, rows(AGENT, session_id, agent_id)[0], strict=True), agent_id=agent_id))


@app.get(_PREFIX)
def session(session_id: str) -> Response:
    names = ("session_type", "multi_agent_state", "created_at", "updated_at")
    return answer(dict(zip(names, rows(SESSION, session_id)[0], strict=True), session_id=session_id))


@app.get("/alive")
def alive() -> Response:
    return answer({})
