"""Agents: the three states of each agent of a session."""

from ..models import AgentKey, AgentRow, session_agents, sessions
from .lists import Lists
from .rows import Rows

ORDER = ("created_at", "agent_id")

_rows = Rows("agent", session_agents, AgentRow, AgentKey)
_lists = Lists(session_agents, AgentRow, ("tenant_id", "session_id"), sessions, "session", ORDER)

create = _rows.create
read = _rows.read
update = _rows.update
delete = _rows.delete
list_ = _lists.list_
list_rest = _lists.list_rest
