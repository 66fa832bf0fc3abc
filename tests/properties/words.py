"""Documents that say some words, and the clients that read them."""

from __future__ import annotations

from typing import Any

from strands.multiagent.base import MultiAgentBase
from strands.types.session import SessionAgent, SessionMessage

from strands_session_client import PostgreSQLSessionRepository
from strands_session_client.pages import Pages

SOME_DAY = "2026-01-31T00:00:00+00:00"  # of whatever is made, so that what is made again differs in its words alone


class Team(MultiAgentBase):
    """A multi-agent that is nothing but its words."""

    def __init__(self, words: str) -> None:
        self.id = "t"
        self._words = words

    async def invoke_async(self, task: Any, invocation_state: Any = None, **kwargs: Any) -> Any:
        raise NotImplementedError

    def serialize_state(self) -> dict[str, Any]:
        return {"words": self._words}


def client_of(url: str, cache_bytes: int, longest: int, max_bytes: int) -> PostgreSQLSessionRepository:
    client = PostgreSQLSessionRepository(url, cache_bytes=cache_bytes)
    resources = client._stored
    resources._pages = Pages(resources._reader, resources._reader._cache, longest, 3, max_bytes)
    return client


def agent(agent_id: str, words: str) -> SessionAgent:
    return SessionAgent(agent_id, {"words": words}, {}, {}, SOME_DAY, SOME_DAY)


def said(words: str) -> Any:
    return {"role": "user", "content": [{"text": words}]}


def heard(message: SessionMessage) -> tuple[int, str]:
    return message.message_id, spoilt(message.to_message()["content"][0], "text")


def spoilt(state: dict[str, Any], field: str = "words") -> str:
    """What it says; from then on it says something else."""
    words: str = state[field]
    state[field] = "spoilt"
    return words
