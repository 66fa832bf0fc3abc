"""The only module that runs work on PostgreSQL, and names what came of it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from . import caller, deadline, engine, verdicts
from .breaker import Open
from .config import Settings
from .errors import CallerGone, DatabaseUnavailable, Failure, Invalid, NotFound
from .gate import Full
from .pool import Lease, Pool
from .retries import Retries, Trouble

P = ParamSpec("P")
T = TypeVar("T")

# A child is inserted without looking for its parent first: the constraint that refuses it says which parent is missing.
# A distributed engine appends the number of a shard to the name.
MISSING_PARENT = {
    "fk_session_agents_sessions": "session",
    "fk_session_messages_session_agents": "agent",
    "fk_session_multi_agents_sessions": "session",
}

# Below the client's read timeout of 20 s, so that a PUT that was given up there can't land after a newer one.
REQUEST_SECONDS = 15.0
PROBE_SECONDS = 3.0


class Database:
    """A pool of connections. One per process; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        self.engine = engine.create(settings)
        self.pool = Pool(
            self.engine,
            settings.database_pool_size,
            settings.database_max_overflow,
            pre_ping=settings.database_pool_pre_ping,
        )
        self.retries = Retries(settings)

    def run(self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a store function on a connection of its own; each can be run again, since every row has a natural key.

        Raises what the operation raises, and DatabaseUnavailable when PostgreSQL cannot answer now; its `applied` is
        "unknown" where a broken link leaves it open whether the work was done. Raises CallerGone instead of beginning
        what nobody waits for any more.
        """
        return self._run(True, _for_the_caller, operation, *args, **kwargs)

    def read(self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `run`, for an operation that changes nothing."""
        return self._run(False, operation, *args, **kwargs)

    def probe(self, operation: Callable[[Connection], object]) -> float | DatabaseUnavailable:
        """Milliseconds that the operation took, or why it could not be run.

        A connection that broke in the pool says nothing about the database, so then it is run once more; in any other
        trouble the next probe is soon enough.
        """
        started = perf_counter()
        with deadline.within(PROBE_SECONDS):
            try:
                try:
                    self._once(operation)
                except Trouble as trouble:
                    if not trouble.verdict.lost:
                        raise
                    self._once(operation)
            except Trouble as trouble:
                unavailable = trouble.unavailable(lost=False)
                unavailable.__cause__ = trouble.__cause__
                return unavailable
        return (perf_counter() - started) * 1000

    def dispose(self) -> None:
        self.pool.dispose()

    def _run(
        self, writes: bool, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with deadline.within(REQUEST_SECONDS):
            try:
                return self._once(operation, *args, **kwargs)
            except Trouble as trouble:
                first = trouble
            return self.retries.after(first, writes, lambda: self._once(operation, *args, **kwargs))

    def _once(self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        lease = self._take()
        try:
            return operation(lease.connection, *args, **kwargs)
        except DBAPIError as error:
            failure = self._judged(error)
            if failure is None:
                raise
            raise failure from error
        finally:
            self.pool.give(lease)

    def _take(self) -> Lease:
        try:
            return self.pool.take()
        except DBAPIError as error:
            raise Trouble(verdicts.of_connecting(error)) from error
        except Open:
            raise Trouble(verdicts.BREAKER_OPEN) from None
        except Full:
            raise Trouble(verdicts.BUSY) from None

    def _judged(self, error: DBAPIError) -> Failure | Trouble | None:
        """What an error under a statement means; None for one that is a defect of ours."""
        verdict = verdicts.of_statement(error)
        if verdict is not None:
            if verdict.drops_pool or error.connection_invalidated:
                # What broke one connection mostly broke all, and the one that work is tried again on must be new.
                self.pool.dispose()
            return Trouble(verdict)
        sqlstate: str = getattr(error.orig, "pgcode", None) or ""
        if isinstance(error, IntegrityError):
            diagnosis: Any = getattr(error.orig, "diag", None)
            # What another server of Citus says comes without that field, and the name with a shard's number behind it.
            told: str = getattr(diagnosis, "constraint_name", None) or getattr(diagnosis, "message_primary", None) or ""
            parents = (parent for name, parent in MISSING_PARENT.items() if name in told)
            return next((NotFound(parent) for parent in parents), None)
        if sqlstate.startswith(("22", "54")):
            return Invalid({"body": [f"PostgreSQL cannot keep a value (SQLSTATE {sqlstate})."]})
        return None


def _for_the_caller(
    tx: Connection, operation: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    if caller.is_gone():
        raise CallerGone
    return operation(tx, *args, **kwargs)
