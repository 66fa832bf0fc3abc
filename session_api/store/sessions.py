"""Sessions: the roots. Deleting one deletes everything under it, by the foreign keys."""

from ..models import SessionKey, SessionRow, sessions
from .lists import Lists
from .rows import Rows

ORDER = ("created_at", "session_id")

_rows = Rows("session", sessions, SessionRow, SessionKey)
_lists = Lists(sessions, SessionRow, ("tenant_id",), None, "session", ORDER)

create = _rows.create
read = _rows.read
update = _rows.update
delete = _rows.delete
list_ = _lists.list_
list_rest = _lists.list_rest
