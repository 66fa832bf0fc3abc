"""The service in memory, as simple as it can be: which paths there are, and which of them hang on which."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from hypothesis import strategies as st

# ("s",) is a session, ("s", "agents", "a") an agent, ("s", "agents", "a", "messages", 0) a message.
Path = tuple[Any, ...]

AGENT_IDS = ("a", "b")
MESSAGE_IDS = (0, 1, 7)
TABLES = {"agents": "session_agents", "messages": "session_messages", "multi-agents": "session_multi_agents"}

_agents = st.tuples(st.just("agents"), st.sampled_from(AGENT_IDS))
_messages = st.tuples(_agents, st.just("messages"), st.sampled_from(MESSAGE_IDS)).map(
    lambda drawn: (*drawn[0], *drawn[1:])
)
_multi_agents = st.tuples(st.just("multi-agents"), st.sampled_from(["g", "h"]))

# Paths below a session, and the session itself; few enough that they meet again and again.
paths_in: st.SearchStrategy[Path] = st.one_of(st.just(()), _agents, _messages, _multi_agents)


def _with_parents(paths: list[Path]) -> list[Path]:
    """Every path once, its agent before it."""
    return list(dict.fromkeys(part for path in paths for part in (path[:2], path)))


tree: st.SearchStrategy[list[Path]] = st.lists(st.one_of(_agents, _messages, _messages, _multi_agents), max_size=3).map(
    _with_parents
)


class Model:
    def __init__(self) -> None:
        self.order: dict[Path, None] = {}

    @property
    def paths(self) -> set[Path]:
        return set(self.order)

    def create(self, path: Path) -> bool:
        """Whether it could be made: the parent is there, the id is free."""
        if path in self.order or (len(path) > 1 and path[:-2] not in self.order):
            return False
        self.order[path] = None
        return True

    def delete(self, path: Path) -> set[Path]:
        """What went: it and all below it; nothing if it was not there."""
        if path not in self.order:
            return set()
        gone = {each for each in self.order if each[: len(path)] == path}
        for each in gone:
            del self.order[each]
        return gone

    def children(self, *collection: Any) -> list[Path]:
        """In the order in which they were made."""
        return [path for path in self.order if path[:-1] == collection]

    def keys(self, session_id: str) -> dict[str, list[tuple[Any, ...]]]:
        """The primary keys that the tables must have for this session, by table."""
        keys: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        for path in sorted(path for path in self.order if path[0] == session_id):
            table = TABLES[path[-2]] if len(path) > 1 else "sessions"
            keys[table].append((path[0], *path[2::2]))
        return {name: keys[name] for name in ("sessions", *TABLES.values())}
