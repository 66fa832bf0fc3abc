"""Keeps connections open between requests, and hands them out first come, first served.

SQLAlchemy's own pool lets newcomers overtake those who wait, and takes and returns a connection at ten times the cost.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Any, Protocol

import psycopg2
from sqlalchemy.engine import Connection, Engine

from . import metrics
from .gate import Gate
from .store.statement import IS_LARGE

# A request that has waited so long for a connection is refused.
PLACE_SECONDS = 2.0
# More than `size` stay open for so long without use: to open one costs more than a hundred requests on it.
UNUSED_SECONDS = 5.0
# Whatever lies between may forget a connection that is much older.
OLD_SECONDS = 1800.0


class Watcher(Protocol):
    """Is told of every connection that is handed out and comes back."""

    def taken(self, lease: Lease) -> None: ...

    def given(self, lease: Lease) -> None: ...


class Lease:
    """A connection and what the pool knows of it."""

    __slots__ = ("connection", "generation", "opened", "raw", "used")

    def __init__(self, connection: Connection, generation: int) -> None:
        self.connection = connection
        self.raw: Any = connection.connection.dbapi_connection
        self.generation = generation
        self.opened = self.used = monotonic()


class Pool:
    """Up to `size` + `overflow` connections, of which `size` stay open when nobody needs more. Safe to share between
    threads.
    """

    def __init__(self, engine: Engine, size: int, overflow: int, *, pre_ping: bool) -> None:
        self._engine = engine
        self._size = size
        self.places = size + overflow
        self._pre_ping = pre_ping
        self._gate = Gate(self.places, PLACE_SECONDS)
        self._idle: deque[Lease] = deque()
        self._generation = 0
        self.watchers: list[Watcher] = []

    def take(self) -> Lease:
        """A connection, to be given back. Raises gate.Full, and what opening one raises."""
        waited = self._gate.enter()
        try:
            if waited:
                metrics.pool_wait().observe(waited)
            lease = self._usable() or self._new()
            for watcher in self.watchers:
                watcher.taken(lease)
        except BaseException:
            self._gate.leave()
            raise
        return lease

    def give(self, lease: Lease) -> None:
        """Take a connection back; one that broke, holds much room, or is not needed is closed."""
        try:
            for watcher in self.watchers:
                watcher.given(lease)
            connection = lease.connection
            if lease.raw.closed:
                connection.invalidate()  # or there would be an attempt to roll back on it
            if connection.in_transaction():
                connection.rollback()  # SQLAlchemy's bookkeeping: in autocommit, nothing is sent
            if lease.raw.closed or lease.generation != self._generation or IS_LARGE in connection.info:
                connection.close()
            else:
                lease.used = monotonic()
                self._idle.append(lease)
                if len(self._idle) > self._size:
                    self._close_unused(lease.used - UNUSED_SECONDS)
        finally:
            self._gate.leave()

    def dispose(self) -> None:
        """Close all connections; those in use, when they come back."""
        self._generation += 1
        while lease := self._idle_one():
            lease.connection.close()

    def figures(self) -> dict[str, int]:
        """How many stay open, are in use and idle."""
        return {"size": self._size, "in_use": self._gate.taken, "idle": len(self._idle)}

    def tend(self) -> None:
        """Close what is not needed any more and put the figures of this process into the metrics, where to count every
        use would cost more than the use itself; to be called every now and then.
        """
        self._close_unused(monotonic() - UNUSED_SECONDS)
        figures = self.figures()
        for state in ("in_use", "idle"):
            metrics.POOL.labels(state).set(figures[state])

    def _close_unused(self, since: float) -> None:
        """Close what is too much and was not used since then; the one used last is taken first, so the others rest."""
        while len(self._idle) > self._size:
            try:
                lease = self._idle.popleft()
            except IndexError:  # another thread was faster
                return
            if lease.used >= since:
                self._idle.appendleft(lease)
                return
            lease.connection.close()

    def _new(self) -> Lease:
        generation = self._generation  # of before: while it is opened, all from before may be disposed of
        return Lease(self._engine.connect(), generation)

    def _idle_one(self) -> Lease | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _usable(self) -> Lease | None:
        while lease := self._idle_one():
            if monotonic() - lease.opened < OLD_SECONDS and not (self._pre_ping and self._is_dead(lease)):
                return lease
            lease.connection.close()
        return None

    def _is_dead(self, lease: Lease) -> bool:
        try:
            return not self._engine.dialect.do_ping(lease.raw)
        except psycopg2.Error:
            lease.connection.invalidate()  # or closing it would be an attempt to roll back on it
            return True
