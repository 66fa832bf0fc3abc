"""The only module that opens connections and decides when work is run again."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from .config import Settings, normalise_database_url
from .errors import Conflict, DatabaseUnavailable, Failure, Invalid, NotFound

P = ParamSpec("P")
T = TypeVar("T")

# A child is inserted without looking for its parent first: the constraint that refuses it says which parent is missing.
MISSING_PARENT = {
    "fk_session_agents_sessions": "session",
    "fk_session_messages_session_agents": "agent",
    "fk_session_multi_agents_sessions": "session",
}

# What PostgreSQL says when it can't answer now, by SQLSTATE or its class: reason, seconds to wait.
_NOT_NOW = {
    "57014": ("the statement took too long", 1),
    "55P03": ("a row is locked", 1),
    "40": ("writes collided", 1),
    "57": ("it is stopping or starting", 2),
    "53": ("it is out of a resource", 5),
    "25006": ("it is read-only", 2),
    "42P01": ("its schema is missing; run `flask db upgrade`", 30),
    "42703": ("its schema is not the one of this version; run `flask db upgrade`", 30),
}

# They go with the connection's start, so that they also hold behind a pooler, where SET would leak to others.
_SERVER_SETTINGS = {
    "timezone": "UTC",
    "statement_timeout": "8s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "client_connection_check_interval": "2s",
}
_CONNECT_ARGS = {
    "application_name": "session-api",
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}


class _Unreachable(DatabaseUnavailable):
    """No connection could be had: nothing was sent, so it is safe to try again."""


class _LinkLost(DatabaseUnavailable):
    """The connection broke under a statement, which may or may not have been applied."""


class Database:
    """A pool of connections. One per process; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        url = make_url(normalise_database_url(settings.database_url or ""))
        options = [f"-c {name}={value}" for name, value in _SERVER_SETTINGS.items()]
        given = url.query.get("options", "")
        options.extend([given] if isinstance(given, str) else given)
        self.engine = create_engine(
            url.difference_update_query(["options"]),
            # Every operation is one statement: without BEGIN and COMMIT around it, it is one round trip.
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=settings.database_pool_size,
            max_overflow=settings.database_max_overflow,
            pool_timeout=2,
            pool_recycle=1800,
            pool_pre_ping=settings.database_pool_pre_ping,
            hide_parameters=True,  # conversations must not reach the logs inside a traceback
            connect_args={**_CONNECT_ARGS, "options": " ".join(options).strip()},
        )
        self._attempts = settings.retry_attempts
        self._retrying = Retrying(
            stop=stop_after_attempt(max(1, self._attempts - 1)),
            wait=wait_random_exponential(
                multiplier=settings.retry_backoff_min or 0.001,
                exp_base=settings.retry_backoff_multiplier,
                max=settings.retry_backoff_max,
            ),
            retry=retry_if_exception_type(_Unreachable),
            reraise=True,
        )

    def run(self, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a store function on a connection of its own; each can be run again, since every row has a natural key.

        Raises what the operation raises, and DatabaseUnavailable when PostgreSQL cannot answer now.
        """
        try:
            return self._once(operation, *args, **kwargs)
        except _LinkLost:
            return self._again(operation, *args, **kwargs)
        except _Unreachable:
            if self._attempts == 1:
                raise
            return self._with_retries(operation, *args, **kwargs)

    def probe(self, operation: Callable[[Session], object]) -> float | DatabaseUnavailable:
        """Milliseconds that the operation took, or why it could not be run; tried once, since probes come again."""
        started = perf_counter()
        try:
            self._once(operation)
        except DatabaseUnavailable as error:
            return error
        return (perf_counter() - started) * 1000

    def pool_figures(self) -> dict[str, int]:
        pool = self.engine.pool
        assert isinstance(pool, QueuePool)  # noqa: S101  set above
        return {"size": pool.size(), "in_use": pool.checkedout(), "idle": pool.checkedin()}

    def dispose(self) -> None:
        self.engine.dispose()

    def _again(self, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Once more after a lost link: finding our own row in place means that the first try was applied."""
        try:
            return self._with_retries(operation, *args, **kwargs)
        except Conflict as conflict:
            if conflict.stored is None:
                raise
            return cast(T, conflict.stored)  # the row that the operation would have returned
        except DatabaseUnavailable as error:
            raise _LinkLost(error.reason, applied="unknown", retry_after=error.retry_after) from error

    def _with_retries(self, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return cast(T, self._retrying(self._once, operation, *args, **kwargs))

    def _once(self, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        with Session(self.engine) as tx:
            try:
                tx.connection()
            except PoolTimeout as error:
                raise DatabaseUnavailable("all connections are busy") from error
            except DBAPIError as error:
                raise _Unreachable("it cannot be reached", retry_after=2) from error
            try:
                return operation(tx, *args, **kwargs)
            except DBAPIError as error:
                failure = _translated(error)
                if failure is None:
                    raise
                raise failure from error


def _translated(error: DBAPIError) -> Failure | None:
    """The failure that a database error means; None for one that is a defect of ours."""
    sqlstate: str = getattr(error.orig, "pgcode", None) or ""
    constraint: str = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
    if error.connection_invalidated or sqlstate.startswith("08"):
        return _LinkLost("the connection broke", applied="unknown")
    if isinstance(error, IntegrityError) and constraint in MISSING_PARENT:
        return NotFound(MISSING_PARENT[constraint])
    for code, (reason, retry_after) in _NOT_NOW.items():
        if sqlstate.startswith(code):
            return DatabaseUnavailable(reason, retry_after=retry_after)
    if sqlstate.startswith(("22", "54")):
        return Invalid({"body": [f"PostgreSQL cannot keep a value (SQLSTATE {sqlstate})."]})
    return None
