"""Multi-agents: the state of each graph or swarm of a session."""

from ..models import MultiAgentKey, MultiAgentRow, session_multi_agents, sessions
from .rows import Rows

ORDER = ("created_at", "multi_agent_id")

_rows = Rows(
    "multi_agent",
    session_multi_agents,
    MultiAgentRow,
    MultiAgentKey,
    sessions,
    "session",
    order=ORDER,
)

create = _rows.create
read = _rows.read
update = _rows.update
delete = _rows.delete
list_ = _rows.list_
list_versions = _rows.list_versions
