"""What the agent can do."""

from datetime import datetime, timezone
from typing import Any

from strands import tool


@tool
def current_time() -> str:
    """The current date and time in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def register_tools() -> list[Any]:
    """Every tool of the agent; add yours here."""
    return [current_time]
