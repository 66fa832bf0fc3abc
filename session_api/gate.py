"""Lets a bounded number in at a time, first come, first served."""

from __future__ import annotations

import threading
from collections import deque
from time import monotonic
from typing import Any

from gevent.monkey import get_original


class Full(Exception):
    """No place became free in time."""


class Gate:
    """A semaphore that no newcomer passes while others wait."""

    def __init__(self, places: int, seconds: float) -> None:
        self._places = self._free = places
        self._seconds = seconds
        self._waiting: deque[Any] = deque()
        self._lock = get_original("_thread", "allocate_lock")()  # nobody waits inside, so greenlets need not either

    @property
    def taken(self) -> int:
        """How many are inside."""
        return self._places - self._free

    def enter(self) -> float:
        """Wait for a place, and return for how many seconds. Raises Full after the gate's seconds."""
        with self._lock:
            if self._free:
                self._free -= 1
                return 0.0
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        began = monotonic()
        if not turn.acquire(timeout=self._seconds):
            with self._lock:
                if turn in self._waiting:
                    self._waiting.remove(turn)
                    raise Full
                # It was handed over just now.
        return monotonic() - began

    def leave(self) -> None:
        """Give the place to who has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()  # the place goes to the first in line and is never free
            else:
                self._free += 1
