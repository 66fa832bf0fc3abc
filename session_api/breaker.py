"""Keeps a service whose database is gone from waiting for it with every request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

T = TypeVar("T")


class Open(Exception):
    """Nothing was tried: the last tries failed, and the next one is not due yet."""


class Breaker:
    """Opens after `failures` in a row; then lets one call through every `probe_seconds` until one succeeds."""

    def __init__(self, failures: int = 5, probe_seconds: float = 1.0) -> None:
        self._allowed = failures
        self._probe_seconds = probe_seconds
        self._failed = 0
        self._next_probe = 0.0
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        return self._failed >= self._allowed

    def call(self, function: Callable[[], T]) -> T:
        """What the function returns. Raises what it raises, and Open without calling it."""
        with self._lock:
            if self.is_open:
                if monotonic() < self._next_probe:
                    raise Open
                self._next_probe = monotonic() + self._probe_seconds
        try:
            result = function()
        except Exception:
            with self._lock:
                self._failed += 1
                if self._failed == self._allowed:
                    self._next_probe = monotonic() + self._probe_seconds
            raise
        self._failed = 0
        return result
