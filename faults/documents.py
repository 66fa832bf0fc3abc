"""What the load writes, and the fingerprint by which it is known again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from random import Random
from typing import Any

from strands.types.content import Message

Document = dict[str, Any]

# By resource: the fields that a fingerprint covers, and what is stored where a request leaves one out.
FIELDS: dict[str, Document] = {
    "session": {"session_type": "AGENT", "multi_agent_state": None},
    "agent": {"state": {}, "conversation_manager_state": {}, "internal_state": {}},
    "message": {"message": None, "redact_message": None},
}


def fingerprint(resource: str, body: Mapping[str, Any]) -> str:
    """The sha256 of a resource's documents; their keys count in their order."""
    content = {name: body.get(name, default) for name, default in FIELDS[resource].items()}
    return sha256(json.dumps(content).encode()).hexdigest()


def session(mark: str) -> Document:
    return {"session_type": "AGENT", "multi_agent_state": {"mark": mark}}


def agent(mark: str, random: Random, **state: object) -> Document:
    """Its three states bear the same mark: one that is older than the others shows."""
    return {
        "state": {"mark": mark, **state},
        "conversation_manager_state": {"mark": mark, "removed": [mark] * random.randrange(4)},
        "internal_state": {"mark": mark, "padding": _padding(random)},
    }


def message(mark: str, random: Random) -> Message:
    return {"role": "user", "content": [{"text": f"{mark} {_padding(random)}"}]}


def _padding(random: Random) -> str:
    """Mostly short; one in twenty fills several packets, so that a cut can come in the middle."""
    return "x" * (random.randrange(20_000, 60_000) if random.random() < 0.05 else random.randrange(400))
