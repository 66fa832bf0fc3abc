"""What a database error means: whether the work may have been done, whether it is tried again, what the caller hears.

The rows are told apart by the phase in which an error came, whether it cost the connection, and its SQLSTATE; never by
its text.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError


@dataclass(frozen=True)
class Verdict:
    """`tries` counts the first one; `lost` says that nobody knows whether the work was done; `retry_after` is in
    seconds. With `drops_pool`, every pooled connection is as bad as this one.
    """

    reason: str
    tries: int | None = 1  # None: as many as RETRY_ATTEMPTS says
    lost: bool = False
    retry_after: int = 1
    drops_pool: bool = False


BUSY = Verdict("all its connections are in use")
UNREACHABLE = Verdict("it cannot be reached", tries=None, retry_after=2)
BREAKER_OPEN = Verdict("it cannot be reached", retry_after=1)
LINK_LOST = Verdict("the connection broke", tries=2, lost=True)

# By SQLSTATE, the longest prefix first. None: not a fault of the database, so a failure of another kind.
_BY_SQLSTATE: dict[str, Verdict] = {
    "57014": Verdict("the statement took too long"),
    "55P03": Verdict("a lock is held by somebody else", tries=2),
    "40001": Verdict("writes collided", tries=None),
    "40P01": Verdict("writes collided", tries=None),
    "40003": LINK_LOST,
    "08007": LINK_LOST,
    "08": Verdict("a part of it cannot be reached", tries=2, retry_after=2),
    "25006": Verdict("it is read-only", tries=2, retry_after=2, drops_pool=True),
    "53100": Verdict("its disk is full", retry_after=30),
    "53200": Verdict("it is out of memory", tries=2, retry_after=5),
    "53": Verdict("it is out of a resource", retry_after=5),
    "57": Verdict("it is stopping or starting", tries=2, lost=True, retry_after=2),
    "3D000": Verdict("the database that is configured does not exist", retry_after=30),
    "42P01": Verdict("its schema is missing; run `flask db upgrade`", retry_after=30),
    "42703": Verdict("its schema is not the one of this version; run `flask db upgrade`", retry_after=30),
    "42501": Verdict("it does not allow this to the service's role", retry_after=30),
    "28": Verdict("it refuses the service's credentials", retry_after=30),
}


def of_connecting(error: Exception) -> Verdict:
    """The verdict on an error before anything was sent."""
    return _by_sqlstate(error) or UNREACHABLE


def of_statement(error: DBAPIError) -> Verdict | None:
    """The verdict on an error under a statement; None when it does not say that the database cannot answer."""
    verdict = _by_sqlstate(error)
    if error.connection_invalidated:
        # Often without a SQLSTATE; with one, it may have come after the work was done.
        return LINK_LOST if verdict is None or not verdict.lost else verdict
    return verdict


def _by_sqlstate(error: Exception) -> Verdict | None:
    sqlstate: str = getattr(getattr(error, "orig", None), "pgcode", None) or ""
    return next((verdict for code, verdict in _BY_SQLSTATE.items() if sqlstate and sqlstate.startswith(code)), None)
