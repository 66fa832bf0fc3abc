"""Agents: the three states of each agent of a session."""

from ..models import AgentKey, AgentRow, session_agents, sessions
from .rows import Rows

ORDER = ("created_at", "agent_id")

_rows = Rows("agent", session_agents, AgentRow, AgentKey, sessions, "session", order=ORDER)

create = _rows.create
read = _rows.read
update = _rows.update
delete = _rows.delete
list_ = _rows.list_
list_versions = _rows.list_versions
