"""What goes over the wire."""

import re
import uuid
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

_UNUSABLE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")


def usable_session_id(session_id: str) -> str:
    """The id, if every place where sessions are kept can hold it."""
    if session_id in {".", ".."} or session_id != session_id.strip() or _UNUSABLE.search(session_id):
        raise ValueError("no '/', '\\' or control characters, no white space at the ends, neither '.' nor '..'")
    return session_id


SessionId = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(usable_session_id)]


class Prompt(BaseModel):
    """What somebody says; without a session id a new session begins."""

    prompt: str = Field(min_length=1)
    session_id: SessionId = Field(default_factory=lambda: uuid.uuid4().hex)


class Answer(BaseModel):
    """What the agent says, and the session to go on in."""

    session_id: str
    response: str


class SessionSummary(BaseModel):
    """A session without what was said in it."""

    session_id: str
    created_at: str
    updated_at: str


class Sessions(BaseModel):
    """Sessions, newest first."""

    sessions: list[SessionSummary]


class History(BaseModel):
    """All messages of a session, each with its `role` and `content`, in the order in which they were said."""

    session_id: str
    messages: list[dict[str, Any]]


class Health(BaseModel):
    """`session_backend` is `reachable` or `unreachable`."""

    status: str
    session_backend: str
