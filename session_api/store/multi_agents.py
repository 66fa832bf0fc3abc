"""Multi-agents: the state of each graph or swarm of a session."""

from ..models import MultiAgentKey, MultiAgentRow, session_multi_agents, sessions
from .lists import Lists
from .rows import Rows

ORDER = ("created_at", "multi_agent_id")

_rows = Rows("multi_agent", session_multi_agents, MultiAgentRow, MultiAgentKey)
_lists = Lists(session_multi_agents, MultiAgentRow, ("tenant_id", "session_id"), sessions, "session", ORDER)

create = _rows.create
read = _rows.read
update = _rows.update
delete = _rows.delete
list_ = _lists.list_
list_rest = _lists.list_rest
