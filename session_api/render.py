"""Writes rows as JSON text: stored documents are spliced in as they are, never parsed and printed again.

A test holds these four against the schemas that document them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timezone
from json.encoder import encode_basestring as quote
from typing import Any

from .models import AgentRow, MessageRow, MultiAgentRow, SessionRow

_UTC = timezone.utc


def session(row: SessionRow) -> str:
    return (
        f'{{"session_id":{quote(row.session_id)},"session_type":{quote(row.session_type)},'
        f'"multi_agent_state":{row.multi_agent_state or "null"},{_times(row)}}}'
    )


def agent(row: AgentRow) -> str:
    return (
        f'{{"agent_id":{quote(row.agent_id)},"state":{row.state},'
        f'"conversation_manager_state":{row.conversation_manager_state},'
        f'"internal_state":{row.internal_state},{_times(row)}}}'
    )


def message(row: MessageRow) -> str:
    return (
        f'{{"message_id":{row.message_id},"message":{row.message},'
        f'"redact_message":{row.redact_message or "null"},{_times(row)}}}'
    )


def multi_agent(row: MultiAgentRow) -> str:
    return f'{{"multi_agent_id":{quote(row.multi_agent_id)},"state":{row.state},{_times(row)}}}'


_WRITERS: dict[type, Any] = {
    SessionRow: session,
    AgentRow: agent,
    MessageRow: message,
    MultiAgentRow: multi_agent,
}


def row(row: Any) -> str:
    return str(_WRITERS[type(row)](row))


def listing(name: str, rows: Sequence[Any], *, total: int | None, page: int | None, size: int, next: str | None) -> str:
    items = ",".join(map(_WRITERS[type(rows[0])], rows)) if rows else ""
    following = quote(next) if next is not None else "null"
    return (
        f'{{"{name}":[{items}],"total":{_number(total)},"page":{_number(page)},"page_size":{size},"next":{following}}}'
    )


def etag(version: int) -> str:
    return f"{version:x}"


def listing_etag(rows: Sequence[Any], total: int | None, more: bool) -> str:
    """Changes when any row of the page, the number of all rows or the page's place among them does."""
    seen = repr((total, more, [(row[0], row.version) for row in rows]))
    return hashlib.blake2b(seen.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _times(row: Any) -> str:
    # Mostly in UTC already; behind a pooler, the time zone of a connection is not this service's to choose.
    created_at, updated_at = row.created_at.astimezone(_UTC), row.updated_at.astimezone(_UTC)
    return f'"created_at":"{created_at.isoformat()}","updated_at":"{updated_at.isoformat()}"'
