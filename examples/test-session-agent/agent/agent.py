"""The agent as it is made anew for each request, with everything that was said in its session."""

import asyncio
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakValueDictionary

from strands import Agent
from strands.types.exceptions import EventLoopException, SessionException

from agent.model import make_model
from agent.prompts import SYSTEM_PROMPT
from agent.session_repository import session_manager
from agent.tools import register_tools

# Conversations are kept under this id: with another one, all of them begin anew.
AGENT_ID = "test-session-agent"

_turns: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
_choosing = threading.Lock()


def ask(session_id: str, prompt: str) -> str:
    """The agent's answer. Raises SessionException when the conversation can't be kept."""
    with _open_agent(session_id) as agent:
        return str(agent(prompt)).strip()


def stream(session_id: str, prompt: str) -> Iterator[str]:
    """The agent's answer piece by piece; raises as `ask` does.

    It works in a thread of its own, since keeping a conversation blocks, and goes on to the end of its turn when
    nobody listens any more: what was said is then in the session.
    """
    pieces: queue.SimpleQueue[str | Exception | None] = queue.SimpleQueue()

    async def speak() -> None:
        with _open_agent(session_id) as agent:
            async for event in agent.stream_async(prompt):
                if event.get("data"):
                    pieces.put(event["data"])

    def work() -> None:
        try:
            asyncio.run(speak())
        except Exception as failure:
            pieces.put(failure)
        finally:
            pieces.put(None)

    threading.Thread(target=work, daemon=True).start()
    while (piece := pieces.get()) is not None:
        if isinstance(piece, Exception):
            raise piece
        yield piece


@contextmanager
def _open_agent(session_id: str) -> Iterator[Agent]:
    """One turn at a time in a session; what others say meanwhile would be lost on this agent."""
    with _choosing:
        turn = _turns.setdefault(session_id, threading.Lock())
    with turn, session_manager(session_id) as manager:
        try:
            yield Agent(
                agent_id=AGENT_ID,
                name=AGENT_ID,
                model=make_model(),
                system_prompt=SYSTEM_PROMPT,
                tools=register_tools(),
                session_manager=manager,
                callback_handler=None,
            )
        except EventLoopException as failure:
            if isinstance(failure.original_exception, SessionException):
                raise failure.original_exception from failure
            raise
