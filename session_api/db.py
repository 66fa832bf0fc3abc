"""The only module that opens connections and decides when work is run again."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_random_exponential

from . import deadline, verdicts
from .addresses import addresses
from .breaker import Breaker, Open
from .config import Settings, normalise_database_url
from .errors import Conflict, DatabaseUnavailable, Failure, Gone, Invalid, NotFound, PreconditionFailed
from .gate import Full, Gate
from .verdicts import Verdict

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
CONNECT_SECONDS = 3.0
PLACE_SECONDS = 2.0

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
    "tcp_user_timeout": 5000,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}


class _Trouble(Exception):
    """PostgreSQL cannot answer now; what that means is in the verdict."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


class Database:
    """A pool of connections. One per process; safe to share between threads."""

    def __init__(self, settings: Settings) -> None:
        deadline.install()
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
            pool_timeout=PLACE_SECONDS,
            pool_recycle=1800,
            pool_pre_ping=settings.database_pool_pre_ping,
            hide_parameters=True,  # conversations must not reach the logs inside a traceback
            connect_args={**_CONNECT_ARGS, "options": " ".join(options).strip()},
        )
        self._gate = Gate(settings.database_pool_size + settings.database_max_overflow, PLACE_SECONDS)
        self._breaker = Breaker()
        event.listen(self.engine, "do_connect", self._connect)
        self._attempts = settings.retry_attempts
        self._retrying = Retrying(
            retry=retry_if_exception_type(_Trouble),
            stop=self._gives_up,
            wait=wait_random_exponential(
                multiplier=settings.retry_backoff_min or 0.001,
                exp_base=settings.retry_backoff_multiplier,
                max=settings.retry_backoff_max,
            ),
            reraise=True,
        )

    def run(self, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a store function on a connection of its own; each can be run again, since every row has a natural key.

        Raises what the operation raises, and DatabaseUnavailable when PostgreSQL cannot answer now; its `applied` is
        "unknown" where a broken link leaves it open whether the work was done.
        """
        return self._run(True, operation, *args, **kwargs)

    def read(self, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """As `run`, for an operation that changes nothing."""
        return self._run(False, operation, *args, **kwargs)

    def probe(self, operation: Callable[[Session], object]) -> float | DatabaseUnavailable:
        """Milliseconds that the operation took, or why it could not be run; tried once, since probes come again."""
        started = perf_counter()
        with deadline.within(PROBE_SECONDS):
            try:
                self._once(operation)
            except _Trouble as trouble:
                return _unavailable(trouble, lost=False)
        return (perf_counter() - started) * 1000

    def pool_figures(self) -> dict[str, int]:
        pool = cast(QueuePool, self.engine.pool)
        return {"size": pool.size(), "in_use": pool.checkedout(), "idle": pool.checkedin()}

    def dispose(self) -> None:
        self.engine.dispose()

    def _run(
        self, writes: bool, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with deadline.within(REQUEST_SECONDS):
            try:
                return self._once(operation, *args, **kwargs)
            except _Trouble as trouble:
                first = trouble
            return self._again(first, writes, operation, *args, **kwargs)

    def _again(
        self,
        trouble: _Trouble,
        writes: bool,
        operation: Callable[Concatenate[Session, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Count the trouble as the first try, and try on. After a lost link, what a first try would have left there
        means that it was applied.
        """
        lost = False
        pending: _Trouble | None = trouble

        def attempt() -> T:
            nonlocal lost, pending
            try:
                if pending is not None:
                    raise pending
                return self._once(operation, *args, **kwargs)
            except _Trouble as error:
                pending = None
                lost = lost or (writes and error.verdict.lost)
                raise

        try:
            return self._retrying(attempt)
        except _Trouble as error:
            raise _unavailable(error, lost=lost) from error.__cause__
        except Conflict as conflict:
            if not lost or conflict.stored is None:
                raise
            return cast(T, conflict.stored)
        except Gone:
            if not lost:
                raise
            return cast(T, None)
        except PreconditionFailed:
            if not lost:
                raise
            # The version may be another one because the first try was applied.
            raise _unavailable(trouble, lost=True) from trouble.__cause__

    def _gives_up(self, state: RetryCallState) -> bool:
        error = cast(_Trouble, cast(Any, state.outcome).exception())
        tries = error.verdict.tries or self._attempts
        return state.attempt_number >= tries or state.upcoming_sleep > deadline.left() / 2

    def _once(self, operation: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            with self._gate.place(), Session(self.engine) as tx:
                self._check_out(tx)
                try:
                    return operation(tx, *args, **kwargs)
                except DBAPIError as error:
                    trouble = self._judged(error)
                    if trouble is None:
                        raise
                    raise trouble from error
        except Full:
            raise _Trouble(verdicts.BUSY) from None

    def _check_out(self, tx: Session) -> None:
        try:
            tx.connection()
        except (DBAPIError, PoolTimeout) as error:
            raise _Trouble(verdicts.of_connecting(error)) from error
        except Open:
            raise _Trouble(verdicts.BREAKER_OPEN) from None

    def _judged(self, error: DBAPIError) -> Failure | _Trouble | None:
        """What an error under a statement means; None for one that is a defect of ours."""
        verdict = verdicts.of_statement(error)
        if verdict is not None:
            if verdict.drops_pool:
                self.engine.dispose()
            return _Trouble(verdict)
        sqlstate: str = getattr(error.orig, "pgcode", None) or ""
        constraint: str = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
        if isinstance(error, IntegrityError):
            parents = (parent for name, parent in MISSING_PARENT.items() if constraint.startswith(name))
            return next((NotFound(parent) for parent in parents), None)
        if sqlstate.startswith(("22", "54")):
            return Invalid({"body": [f"PostgreSQL cannot keep a value (SQLSTATE {sqlstate})."]})
        return None

    def _connect(self, dialect: Any, record: Any, arguments: list[Any], parameters: dict[str, Any]) -> Any:
        def connect() -> Any:
            with deadline.within(CONNECT_SECONDS):
                given = {**parameters, **addresses(parameters.get("host"))}
                return dialect.loaded_dbapi.connect(*arguments, **given)

        return self._breaker.call(connect)


def _unavailable(trouble: _Trouble, *, lost: bool) -> DatabaseUnavailable:
    verdict = trouble.verdict
    return DatabaseUnavailable(verdict.reason, applied="unknown" if lost else False, retry_after=verdict.retry_after)
