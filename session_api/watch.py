"""Ends the waits of greenlets that last too long: one timer looks after all of them.

gevent's own timeouts cost as much as the wait that they end, each time it need not be ended.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import gevent

# A wait may end so much later than it should.
LOOK_SECONDS = 0.1

_ends: dict[Any, tuple[float, Callable[[], Exception]]] = {}  # by greenlet
_timers: dict[Any, Any] = {}  # by hub


class until:  # in small letters, as contextlib has them
    """Raise what `failure` makes in this greenlet when it still waits inside after this moment of the monotonic clock.

    Not to be used inside itself.
    """

    __slots__ = ("_failure", "_greenlet", "_moment")

    def __init__(self, moment: float, failure: Callable[[], Exception]) -> None:
        self._moment = moment
        self._failure = failure

    def __enter__(self) -> None:
        hub = gevent.get_hub()
        if hub not in _timers:
            _timers.clear()  # a parent's, before a fork
            _timers[hub] = hub.loop.timer(LOOK_SECONDS, LOOK_SECONDS, ref=False)
            _timers[hub].start(_look)
        self._greenlet = gevent.getcurrent()
        _ends[self._greenlet] = self._moment, self._failure

    def __exit__(self, *error: object) -> None:
        del _ends[self._greenlet]


def _look() -> None:
    """In the hub: whoever is inside waits now, so the exception reaches it nowhere else."""
    now = monotonic()
    for greenlet, (moment, failure) in list(_ends.items()):
        if moment <= now and greenlet in _ends:
            greenlet.throw(failure())
