"""Turns ids into paths, refusing before sending what the service would refuse."""

import re
from urllib.parse import quote

from strands_session_client.errors import ValidationError

# No separators, control characters, lone surrogates or U+FFFD (what a bad byte decodes to).
_CHARACTERS = re.compile(r"[^/\\\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]{1,255}")
_MESSAGE_IDS = range(2**63)

SESSIONS = "/api/v1/sessions"


def session(session_id: str) -> str:
    """The path of a session. Raises ValidationError for an id that can't be stored, as all of these do."""
    return f"{SESSIONS}/{_segment('session_id', session_id)}"


def agents(session_id: str) -> str:
    """The path of a session's agents."""
    return f"{session(session_id)}/agents"


def agent(session_id: str, agent_id: str) -> str:
    """The path of an agent."""
    return f"{agents(session_id)}/{_segment('agent_id', agent_id)}"


def messages(session_id: str, agent_id: str) -> str:
    """The path of an agent's messages."""
    return f"{agent(session_id, agent_id)}/messages"


def message(session_id: str, agent_id: str, message_id: int) -> str:
    """The path of a message."""
    return f"{messages(session_id, agent_id)}/{checked_message_id(message_id)}"


def multi_agents(session_id: str) -> str:
    """The path of a session's multi-agents."""
    return f"{session(session_id)}/multi-agents"


def multi_agent(session_id: str, multi_agent_id: str) -> str:
    """The path of a multi-agent."""
    return f"{multi_agents(session_id)}/{_segment('multi_agent_id', multi_agent_id)}"


def checked_id(name: str, value: str) -> str:
    """The id, if the service can hold it; `name` says in the error which id it was."""
    if not isinstance(value, str):
        raise ValidationError(f"{name} must be text, not {type(value).__name__}.")
    if not 1 <= len(value) <= 255:
        raise ValidationError(f"{name} must have 1 to 255 characters, not {len(value)}.")
    # URL libraries resolve "." and ".." even when they are quoted, which would call another route.
    if value in {".", ".."} or value != value.strip() or not _CHARACTERS.fullmatch(value):
        raise ValidationError(
            f"{name} {value!a} can't be used: no '/', '\\', control characters, lone surrogates or U+FFFD,"
            " no white space at the ends, and neither '.' nor '..'."
        )
    return value


def checked_message_id(value: int) -> int:
    """The message id, if it is an integer from 0 that fits in 64 bits."""
    if isinstance(value, bool) or not isinstance(value, int) or value not in _MESSAGE_IDS:
        raise ValidationError("message_id must be an integer from 0 to 2**63 - 1.")
    return value


def _segment(name: str, value: str) -> str:
    return quote(checked_id(name, value), safe="")
