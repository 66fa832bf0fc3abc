"""The SDK's SessionRepository, kept by the session service: one verb, one request."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from strands.session.session_repository import SessionRepository
from strands.types.session import Session, SessionAgent, SessionMessage

from strands_session_client import ids, settings, wire
from strands_session_client.cache import DEFAULT_BYTES, Cache
from strands_session_client.resources import Resources
from strands_session_client.transport import Transport

if TYPE_CHECKING:
    from strands.multiagent.base import MultiAgentBase
    from typing_extensions import Self

_Given = TypeVar("_Given")


class PostgreSQLSessionRepository(SessionRepository):
    """Keeps sessions, agents, messages and multi-agents in the session service.

    May be shared between threads and used on both sides of a fork. For what is not there `read_` returns
    None, `delete_` False, and `update_` and `list_` raise. Every method may raise what errors.py lists.
    """

    def __init__(
        self,
        base_url: str | None = None,
        timeout: float = 30.0,
        *,
        api_key: str | None = None,
        allow_insecure_key: bool = False,
        cache_bytes: int = DEFAULT_BYTES,
    ) -> None:
        """Connects with the first call.

        Args:
            base_url: The service's URL; SESSION_BACKEND_URL, or http://localhost:8001, if not given.
            timeout: Seconds that one call may take in all, its retries included.
            api_key: Sent as a bearer token; SESSION_BACKEND_API_KEY if not given.
            allow_insecure_key: Send the key over plain http to another machine as well.
            cache_bytes: Of what was read, this much is kept in this process, and read again only if the service says
                that it changed. 0 keeps nothing.

        Raises:
            ValidationError: If one of these can't be used.
        """
        api_key = settings.hidden(api_key)
        self.base_url = settings.service_url(base_url)
        self.timeout = settings.checked_timeout(timeout)
        key = settings.service_key(api_key, self.base_url, allow_insecure=allow_insecure_key)
        cache = Cache(self.base_url, key, settings.checked_cache_bytes(cache_bytes))
        self._stored = Resources(Transport(self.base_url, key, self.timeout), cache)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_url!r})"

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        self._stored.close()

    # Sessions

    def create_session(self, session: Session, **kwargs: Any) -> Session:
        """Create a session and return it as stored. Raises ConflictError if the id is taken."""
        return wire.to_session(self._stored.create(ids.SESSIONS, wire.new_session(session), expects="session_id"))

    def read_session(self, session_id: str, **kwargs: Any) -> Session | None:
        """The session, or None."""
        stored = self._stored.read(ids.session(session_id), expects="session_id")
        return wire.to_session(stored) if stored else None

    def update_session(self, session_id: str, session_data: Session | Mapping[str, Any], **kwargs: Any) -> Session:
        """Replace the session's type, or the fields given in a dictionary, and return what is stored."""
        if isinstance(session_data, Session):
            session_data = {"session_type": session_data.session_type}
        stored = self._stored.update(ids.session(session_id), session_data, expects="session_id")
        return wire.to_session(stored)

    def delete_session(self, session_id: str, **kwargs: Any) -> bool:
        """Delete the session with all that is in it. False if it was not there."""
        return self._stored.delete(ids.session(session_id), "session")

    def list_sessions(
        self,
        limit: int | None = None,
        offset: int | None = 0,
        *,
        prefix: str | None = None,
        order: str | None = None,
        created_after: str | datetime | None = None,
        created_before: str | datetime | None = None,
        updated_after: str | datetime | None = None,
        updated_before: str | datetime | None = None,
    ) -> list[Session]:
        """The sessions by creation, oldest first or, with `order="desc"`, newest first."""
        filters = {
            "prefix": prefix,
            "order": order,
            "created_after": created_after,
            "created_before": created_before,
            "updated_after": updated_after,
            "updated_before": updated_before,
        }
        rows = self._stored.rows(ids.SESSIONS, "sessions", limit, offset, filters)
        return [wire.to_session(row) for row in rows]

    # Agents

    def create_agent(  # type: ignore[override]  # the earlier client returned it, the SDK asks for nothing
        self,
        session_id: str,
        session_agent: SessionAgent | None = None,
        *,
        agent: SessionAgent | None = None,
        **kwargs: Any,
    ) -> SessionAgent:
        """Create an agent and return it. Raises SessionNotFoundError, or ConflictError if its id is taken."""
        new = _given(session_agent, agent, "session_agent")
        stored = self._stored.create(ids.agents(session_id), wire.new_agent(new), expects="agent_id")
        return wire.kept(new, stored)

    def read_agent(self, session_id: str, agent_id: str, **kwargs: Any) -> SessionAgent | None:
        """The agent, or None."""
        stored = self._stored.read(ids.agent(session_id, agent_id), expects="agent_id")
        return wire.to_agent(stored) if stored else None

    def update_agent(  # type: ignore[override]  # as create_agent
        self,
        session_id: str,
        session_agent: SessionAgent | None = None,
        *,
        agent: SessionAgent | None = None,
        **kwargs: Any,
    ) -> SessionAgent:
        """Replace the agent's states and return it, as old as it was. Raises AgentNotFoundError."""
        new = _given(session_agent, agent, "session_agent")
        path = ids.agent(session_id, new.agent_id)
        return wire.kept(new, self._stored.update(path, wire.agent_states(new), expects="agent_id"))

    def delete_agent(self, session_id: str, agent_id: str, **kwargs: Any) -> bool:
        """Delete the agent with its messages. False if it was not there."""
        return self._stored.delete(ids.agent(session_id, agent_id), "agent")

    def list_agents(
        self, session_id: str, limit: int | None = None, offset: int | None = 0, **kwargs: Any
    ) -> list[SessionAgent]:
        """The session's agents by creation. Raises SessionNotFoundError."""
        rows = self._stored.rows(ids.agents(session_id), "agents", limit, offset)
        return [wire.to_agent(row) for row in rows]

    # Messages

    def create_message(  # type: ignore[override]  # as create_agent
        self,
        session_id: str,
        agent_id: str,
        session_message: SessionMessage | None = None,
        *,
        message: SessionMessage | None = None,
        **kwargs: Any,
    ) -> SessionMessage:
        """Append a message and return it. Raises AgentNotFoundError, or ConflictError if its id is taken."""
        new = _given(session_message, message, "session_message")
        path = ids.messages(session_id, agent_id)
        return wire.kept(new, self._stored.create(path, wire.new_message(new), expects="message_id"))

    def read_message(self, session_id: str, agent_id: str, message_id: int, **kwargs: Any) -> SessionMessage | None:
        """The message, or None."""
        stored = self._stored.read(ids.message(session_id, agent_id, message_id), expects="message_id")
        return wire.to_message(stored) if stored else None

    def update_message(  # type: ignore[override]  # as create_agent
        self,
        session_id: str,
        agent_id: str,
        session_message: SessionMessage | int | None = None,
        message_data: Mapping[str, Any] | None = None,
        *,
        message: SessionMessage | None = None,
        message_id: int | None = None,
        **kwargs: Any,
    ) -> SessionMessage:
        """Replace a message and its redaction, or for a message id the fields given in a dictionary.

        Returns what is stored. Raises MessageNotFoundError.
        """
        if message_data is not None:
            changed = _given(session_message, message_id, "message_id")
            path = ids.message(session_id, agent_id, changed)  # type: ignore[arg-type]  # refuses what is no id
            return wire.to_message(self._stored.update(path, message_data, expects="message_id"))
        new = _given(session_message, message, "session_message")
        if not isinstance(new, SessionMessage):
            raise TypeError("update_message needs a SessionMessage, or a message id with the fields to replace")
        path = ids.message(session_id, agent_id, new.message_id)
        return wire.kept(new, self._stored.update(path, wire.message_contents(new), expects="message_id"))

    def delete_message(self, session_id: str, agent_id: str, message_id: int, **kwargs: Any) -> bool:
        """Delete the message. False if it was not there."""
        return self._stored.delete(ids.message(session_id, agent_id, message_id), "message")

    def list_messages(  # no limit but the conversation's: the SDK restores an agent from this
        self, session_id: str, agent_id: str, limit: int | None = None, offset: int | None = 0, **kwargs: Any
    ) -> list[SessionMessage]:
        """The messages by id: `limit`, or all, from the position `offset` on. Raises AgentNotFoundError."""
        path = ids.messages(session_id, agent_id)
        rows = self._stored.rows(path, "messages", limit, offset)
        return [wire.to_message(row) for row in rows]

    def last_message(self, session_id: str, agent_id: str) -> SessionMessage | None:
        """The message with the highest id, or None. Raises AgentNotFoundError."""
        rows = self._stored.rows(ids.messages(session_id, agent_id), "messages", 1, 0, {"order": "desc"})
        return next((wire.to_message(row) for row in rows), None)

    # Multi-agents

    def create_multi_agent(self, session_id: str, multi_agent: "MultiAgentBase", **kwargs: Any) -> None:
        """Store a new multi-agent's state. Raises SessionNotFoundError, ConflictError if its id is taken."""
        document = wire.new_multi_agent(multi_agent)
        self._stored.create(ids.multi_agents(session_id), document, expects="multi_agent_id")

    def read_multi_agent(self, session_id: str, multi_agent_id: str, **kwargs: Any) -> wire.Document | None:
        """The multi-agent's state, or None."""
        stored = self._stored.read(ids.multi_agent(session_id, multi_agent_id), expects="multi_agent_id")
        return wire.to_state(stored) if stored else None

    def update_multi_agent(self, session_id: str, multi_agent: "MultiAgentBase", **kwargs: Any) -> None:
        """Replace the multi-agent's state. Raises MultiAgentNotFoundError."""
        path = ids.multi_agent(session_id, multi_agent.id)
        self._stored.update(path, {"state": multi_agent.serialize_state()}, expects="multi_agent_id")

    def delete_multi_agent(self, session_id: str, multi_agent_id: str, **kwargs: Any) -> bool:
        """Delete the multi-agent's state. False if it was not there."""
        return self._stored.delete(ids.multi_agent(session_id, multi_agent_id), "multi_agent")

    def list_multi_agents(self, session_id: str, **kwargs: Any) -> dict[str, wire.Document]:
        """The state of each of the session's multi-agents by its id. Raises SessionNotFoundError."""
        rows = self._stored.rows(ids.multi_agents(session_id), "multi_agents", None, 0)
        return {row["multi_agent_id"]: wire.to_state(row) for row in rows}

    # Health

    def health_check(self, **kwargs: Any) -> bool:
        """Whether the service says that it is healthy. Never raises."""
        return self._stored.is_healthy("/health")

    def database_health_check(self, **kwargs: Any) -> bool:
        """Whether the service says that its database is healthy. Never raises."""
        return self._stored.is_healthy("/health/db")


SyncPostgreSQLSessionRepository = PostgreSQLSessionRepository  # the earlier client's name


def _given(first: _Given | None, second: _Given | None, name: str) -> _Given:
    """The one of two keywords for the same argument that was used."""
    if first is not None and second is None:
        return first
    if second is not None and first is None:
        return second
    raise TypeError(f"{name} must be given once")
