"""Sessions: the roots. Deleting one deletes everything under it, by the foreign keys."""

from ..models import SessionKey, SessionRow, sessions
from .rows import Rows

ORDER = ("created_at", "session_id")

_rows = Rows("session", sessions, SessionRow, SessionKey, None, "session", order=ORDER)

create = _rows.create
read = _rows.read
update = _rows.update
delete = _rows.delete
list_ = _rows.list_
list_versions = _rows.list_versions
