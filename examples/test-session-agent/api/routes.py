"""What the API offers."""

import logging
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from strands.types.exceptions import SessionException

from agent import session_repository
from agent.agent import AGENT_ID, ask, stream
from api.models import Answer, Health, History, Prompt, SessionId, Sessions, SessionSummary

logger = logging.getLogger(__name__)

# Plain functions, which run in threads: an agent keeps its conversation with calls that block.
router = APIRouter()


@router.post("/process")
def process(prompt: Prompt) -> Answer:
    """Answer a prompt, in a new session or in the one that is named."""
    return Answer(session_id=prompt.session_id, response=ask(prompt.session_id, prompt.prompt))


@router.post("/process-streaming", response_class=EventSourceResponse)
def process_streaming(prompt: Prompt) -> Iterator[ServerSentEvent]:
    """The same as server-sent events: `session`, then `text` for each piece, at the end `done` or `error`."""
    yield ServerSentEvent(event="session", data={"session_id": prompt.session_id})
    try:
        for text in stream(prompt.session_id, prompt.prompt):
            yield ServerSentEvent(event="text", data={"text": text})
    except Exception as error:  # the status went out long ago, so it has to be told as an event
        logger.exception("the agent failed")
        reason = str(error) if isinstance(error, SessionException) else "The agent failed; the log says more."
        yield ServerSentEvent(event="error", data={"detail": reason})
    else:
        yield ServerSentEvent(event="done", data={"session_id": prompt.session_id})


@router.get("/sessions")
def sessions(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Sessions:
    """The newest sessions."""
    newest = session_repository.list_sessions(limit)
    return Sessions(sessions=[SessionSummary(**vars(session)) for session in newest])


@router.get("/sessions/{session_id}/history")
def history(session_id: SessionId) -> History:
    """Everything that was said in a session."""
    messages = session_repository.read_history(session_id, AGENT_ID)
    if messages is None:
        raise HTTPException(404, "There is no such session.")
    return History(session_id=session_id, messages=messages)


@router.delete("/sessions/{session_id}", status_code=204)
def delete_session(session_id: SessionId) -> None:
    """Forget a session."""
    if not session_repository.delete_session(session_id):
        raise HTTPException(404, "There is no such session.")


@router.get("/health")
def health() -> Health:
    """The process answers, and whether it can keep conversations now: for people, and for a liveness probe."""
    return Health(status="healthy", session_backend=_backend())


@router.get("/health/ready")
def ready(response: Response) -> Health:
    """The same, but 503 when no conversation can be kept: for a readiness probe."""
    backend = _backend()
    if backend == "unreachable":
        response.status_code = 503
    return Health(status="ready" if backend == "reachable" else "not ready", session_backend=backend)


def _backend() -> str:
    return "reachable" if session_repository.is_reachable() else "unreachable"
