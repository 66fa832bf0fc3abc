"""What a fault did to the clients: counted from the history, and timed until all of them write again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

from .history import OK, Attempt
from .outage import Load, load
from .probe import Probe
from .schedule import Step
from .workers import PROCESSES

HUNG_SECONDS = 1.0


@dataclass(frozen=True)
class Window:
    """A fault from `begin` to `end`, and the time until the next one. With an `obstacle` it was not injected."""

    step: Step
    begin: float
    end: float
    until: float
    obstacle: str | None = None


@dataclass(frozen=True)
class Figures:
    """`recovered` is None where some process did not write again before the next fault; `silent` counts the probes
    that /health/live left without an answer.
    """

    window: Window
    requests: int
    acknowledged: int
    unavailable: int
    unanswered: int
    defects: int
    silent: int
    recovered: float | None
    load: Load | None


def figures(window: Window, attempts: Sequence[Attempt], arrivals: Sequence[float], probes: Iterable[Probe]) -> Figures:
    """`attempts` are in the order of their start; `arrivals` are the moments at which requests of the client's library
    came to the service.
    """
    first = bisect_left(attempts, window.begin - HUNG_SECONDS, key=attrgetter("start"))
    last = bisect_left(attempts, window.until, key=attrgetter("start"))
    within = [a for a in attempts[first:last] if not a.is_call and _belongs(a, window)]
    recovered = recovery(within, window.end)
    healed = window.end + (recovered or 0)
    return Figures(
        window,
        requests=len(within),
        acknowledged=sum(a.writes and a.outcome == OK for a in within),
        unavailable=sum(a.status == 503 for a in within),
        unanswered=sum(a.status is None for a in within),
        defects=sum(a.status == 500 for a in within),
        silent=sum(not p.is_answered and _belongs(p, window) for p in probes),
        recovered=recovered,
        load=load(window.begin, window.end, healed, attempts, arrivals) if window.step.is_outage else None,
    )


def _belongs(attempt: Attempt | Probe, window: Window) -> bool:
    """What is on its way when a fault comes is hit by that one, unless it hung already."""
    if attempt.start < window.begin:
        return attempt.end >= window.begin and window.begin - attempt.start <= HUNG_SECONDS
    return attempt.start < window.until and (attempt.end < window.until or window.until - attempt.start > HUNG_SECONDS)


def recovery(attempts: Sequence[Attempt], end: float) -> float | None:
    """Seconds from the fault's end until a write that began later is acknowledged in every process, and nothing that
    began later fails; None if that is not so yet.
    """
    later = [a for a in attempts if a.start >= end and not a.is_call]
    acknowledged: dict[int, float] = {}
    for attempt in later:
        if attempt.writes and attempt.outcome == OK:
            acknowledged[attempt.process] = min(attempt.end, acknowledged.get(attempt.process, attempt.end))
    if len(acknowledged) < PROCESSES:
        return None
    failures = (a.end for a in later if a.status is None or a.status >= 500)
    return max(*acknowledged.values(), *failures, 0) - end
