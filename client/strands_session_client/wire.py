"""The SDK's objects as the service's documents, and back."""

from typing import TYPE_CHECKING, Any, TypeVar

from strands.types.session import Session, SessionAgent, SessionMessage, SessionType

from strands_session_client import ids

if TYPE_CHECKING:
    from strands.multiagent.base import MultiAgentBase

Document = dict[str, Any]
_Kept = TypeVar("_Kept", SessionAgent, SessionMessage)

_SESSION_TYPES = {session_type.value: session_type for session_type in SessionType}


def new_session(session: Session) -> Document:
    """What creates the session."""
    ids.checked_id("session_id", session.session_id)
    return {"session_id": session.session_id, "session_type": session.session_type, **_times(session)}


def new_agent(agent: SessionAgent) -> Document:
    """What creates the agent."""
    ids.checked_id("agent_id", agent.agent_id)
    return {"agent_id": agent.agent_id, **agent_states(agent), **_times(agent)}


def new_message(message: SessionMessage) -> Document:
    """What creates the message."""
    ids.checked_message_id(message.message_id)
    return {"message_id": message.message_id, **message_contents(message), **_times(message)}


def new_multi_agent(multi_agent: "MultiAgentBase") -> Document:
    """What creates the multi-agent."""
    ids.checked_id("multi_agent_id", multi_agent.id)
    return {"multi_agent_id": multi_agent.id, "state": multi_agent.serialize_state()}


def agent_states(agent: SessionAgent) -> Document:
    """What an update of the agent replaces."""
    return {
        "state": agent.state,
        "conversation_manager_state": agent.conversation_manager_state,
        "internal_state": agent._internal_state,
    }


def message_contents(message: SessionMessage) -> Document:
    """What an update of the message replaces."""
    return {"message": message.message, "redact_message": message.redact_message}


def to_session(stored: Document) -> Session:
    """The SDK's Session; a session type that the SDK doesn't know stays plain text."""
    return Session(stored["session_id"], _session_type(stored["session_type"]), **_times_of(stored))


def to_agent(stored: Document) -> SessionAgent:
    """The SDK's SessionAgent."""
    return SessionAgent(
        agent_id=stored["agent_id"],
        state=stored["state"],
        conversation_manager_state=stored["conversation_manager_state"],
        _internal_state=stored["internal_state"],
        **_times_of(stored),
    )


def to_message(stored: Document) -> SessionMessage:
    """The SDK's SessionMessage."""
    return SessionMessage(
        stored["message"],
        stored["message_id"],
        stored["redact_message"],
        stored["created_at"],
        stored["updated_at"],
    )


def to_state(stored: Document) -> Document:
    """A multi-agent's state."""
    state: Document = stored["state"]
    return state


def kept(sent: _Kept, stored: Document) -> _Kept:
    """What was sent, with the times at which it is stored, as the SDK's own managers set them."""
    sent.created_at, sent.updated_at = stored["created_at"], stored["updated_at"]
    return sent


def _session_type(name: Any) -> Any:
    return _SESSION_TYPES.get(name, name)


def _times(new: Session | SessionAgent | SessionMessage) -> Document:
    return {"created_at": new.created_at, "updated_at": new.updated_at}


def _times_of(stored: Document) -> dict[str, str]:
    return {"created_at": stored["created_at"], "updated_at": stored["updated_at"]}
