"""The one-liner: an agent's session, kept by the session service."""

from typing import TYPE_CHECKING, Any

from strands.session.repository_session_manager import RepositorySessionManager

from strands_session_client.cache import DEFAULT_BYTES
from strands_session_client.errors import ConflictError
from strands_session_client.repository import PostgreSQLSessionRepository
from strands_session_client.settings import hidden

if TYPE_CHECKING:
    from strands.multiagent.base import MultiAgentBase
    from strands.types.agent import LocalAgent
    from typing_extensions import Self


class PostgreSQLSessionManager(RepositorySessionManager):
    """Keeps an agent in its session, as in `Agent(session_manager=PostgreSQLSessionManager("session-id"))`.

    Creates the session if it does not exist. `session_repository` is the repository it works on.
    """

    def __init__(
        self,
        session_id: str,
        base_url: str | None = None,
        timeout: float = 30.0,
        *,
        api_key: str | None = None,
        allow_insecure_key: bool = False,
        cache_bytes: int = DEFAULT_BYTES,
    ) -> None:
        """Takes what PostgreSQLSessionRepository takes; raises what errors.py lists."""
        api_key = hidden(api_key)
        self._repository = PostgreSQLSessionRepository(
            base_url,
            timeout,
            api_key=api_key,
            allow_insecure_key=allow_insecure_key,
            cache_bytes=cache_bytes,
        )
        try:
            try:
                super().__init__(session_id, session_repository=self._repository)
            except ConflictError:  # another process created the session since we looked: now it can be read
                super().__init__(session_id, session_repository=self._repository)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def initialize(self, agent: "LocalAgent", **kwargs: Any) -> None:
        """Restore the agent, or store it if it is new."""
        try:
            super().initialize(agent, **kwargs)
        except ConflictError:  # another process created the agent since we looked: now it can be restored
            self._is_new_session = False
            del self._latest_agent_message[agent.agent_id]
            super().initialize(agent, **kwargs)
        if self._latest_agent_message[agent.agent_id] is None and _removed_message_count(agent):
            # Every stored message was taken out of the conversation, so the SDK saw none and would number the next
            # one 0, which is taken.
            self._latest_agent_message[agent.agent_id] = self._repository.last_message(self.session_id, agent.agent_id)

    def initialize_multi_agent(self, source: "MultiAgentBase", **kwargs: Any) -> None:
        """Restore the graph's or swarm's state, or store it if it is new."""
        try:
            super().initialize_multi_agent(source, **kwargs)
        except ConflictError:  # as above
            self._is_new_session = False
            super().initialize_multi_agent(source, **kwargs)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        self._repository.close()


def _removed_message_count(agent: "LocalAgent") -> int:
    manager = getattr(agent, "conversation_manager", None)
    return getattr(manager, "removed_message_count", 0)
