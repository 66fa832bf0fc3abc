"""Messages: an agent's conversation, in the order of their ids."""

from ..models import MessageKey, MessageRow, session_agents, session_messages
from .lists import Lists
from .rows import Rows

ORDER = ("message_id",)

_rows = Rows("message", session_messages, MessageRow, MessageKey)
_lists = Lists(session_messages, MessageRow, ("tenant_id", "session_id", "agent_id"), session_agents, "agent", ORDER)

append = _rows.create
read = _rows.read
update = _rows.update
delete = _rows.delete
list_ = _lists.list_
list_rest = _lists.list_rest
