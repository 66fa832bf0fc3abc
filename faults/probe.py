"""Asks the service again and again whether it lives, as an orchestrator would."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

import requests

_PACE_SECONDS = 0.25
_PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Probe:
    """One look at /health/live."""

    start: float
    end: float
    is_answered: bool


@contextmanager
def looking(url: str) -> Iterator[list[Probe]]:
    """Probes past every proxy; the list grows."""
    probes: list[Probe] = []
    enough = threading.Event()

    def look() -> None:
        while not enough.wait(_PACE_SECONDS):
            start = monotonic()
            try:
                answered = requests.get(f"{url}/health/live", timeout=_PATIENCE_SECONDS).ok
            except requests.RequestException:
                answered = False
            probes.append(Probe(start, monotonic(), answered))

    thread = threading.Thread(target=look)
    thread.start()
    yield probes
    enough.set()
    thread.join()
