"""Writes rows as JSON: stored documents are spliced in as they are, never parsed and printed again.

A test holds these four against the schemas that document them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from orjson import Fragment, dumps

from .models import AgentRow, MessageRow, MultiAgentRow, SessionRow

_UTC = timezone.utc


def session(row: SessionRow) -> dict[str, Any]:
    state = row.multi_agent_state
    return {
        "session_id": row.session_id,
        "session_type": row.session_type,
        "multi_agent_state": None if state is None else _fragment(state),
        "created_at": _time(row.created_at),
        "updated_at": _time(row.updated_at),
    }


def agent(row: AgentRow) -> dict[str, Any]:
    return {
        "agent_id": row.agent_id,
        "state": _fragment(row.state),
        "conversation_manager_state": _fragment(row.conversation_manager_state),
        "internal_state": _fragment(row.internal_state),
        "created_at": _time(row.created_at),
        "updated_at": _time(row.updated_at),
    }


def message(row: MessageRow) -> dict[str, Any]:
    redaction = row.redact_message
    return {
        "message_id": row.message_id,
        "message": _fragment(row.message),
        "redact_message": None if redaction is None else _fragment(redaction),
        "created_at": _time(row.created_at),
        "updated_at": _time(row.updated_at),
    }


def multi_agent(row: MultiAgentRow) -> dict[str, Any]:
    return {
        "multi_agent_id": row.multi_agent_id,
        "state": _fragment(row.state),
        "created_at": _time(row.created_at),
        "updated_at": _time(row.updated_at),
    }


_WRITERS: dict[type, Any] = {
    SessionRow: session,
    AgentRow: agent,
    MessageRow: message,
    MultiAgentRow: multi_agent,
}


def row(row: Any) -> bytes:
    return dumps(_WRITERS[type(row)](row))


def listing(
    name: str, rows: Sequence[Any], *, total: int | None, page: int | None, size: int, next: str | None
) -> bytes:
    written = [*map(_WRITERS[type(rows[0])], rows)] if rows else []
    return dumps({name: written, "total": total, "page": page, "page_size": size, "next": next})


def etag(version: int) -> str:
    return f"{version:x}"


def _fragment(document: bytes) -> Fragment:
    return Fragment(bytes(document))  # orjson takes no kind of bytes but bytes


def _time(moment: datetime) -> datetime:
    # Mostly in UTC already; behind a pooler, the time zone of a connection is not this service's to choose.
    return moment if moment.tzinfo is _UTC else moment.astimezone(_UTC)
