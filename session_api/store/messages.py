"""Messages: an agent's conversation, in the order of their ids."""

from ..models import MessageKey, MessageRow, session_agents, session_messages
from .rows import Rows

ORDER = ("message_id",)

_rows = Rows("message", session_messages, MessageRow, MessageKey, session_agents, "agent", order=ORDER)

append = _rows.create
read = _rows.read
update = _rows.update
delete = _rows.delete
list_ = _rows.list_
list_versions = _rows.list_versions
