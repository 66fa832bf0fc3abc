"""What a fault did to the clients: counted from the history, and timed until all of them write again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .history import OK, Attempt
from .schedule import Step
from .workers import PROCESSES

LOAD_SECONDS = 10.0  # before and after an outage
LOAD_BOUND = 1.2
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
class Load:
    """Requests a second of the client's library that came to the service: before, during and after an outage."""

    before: float
    during: float
    after: float

    @property
    def growth(self) -> float:
        return max(self.during, self.after) / self.before if self.before else float("inf")


@dataclass(frozen=True)
class Figures:
    """`recovered` is None where some process did not write again before the next fault."""

    window: Window
    requests: int
    acknowledged: int
    unavailable: int
    unanswered: int
    defects: int
    recovered: float | None
    load: Load | None


def figures(window: Window, attempts: Iterable[Attempt], arrivals: Sequence[float]) -> Figures:
    """`arrivals` are the moments at which requests of the client's library came to the service."""
    within = [a for a in attempts if not a.is_call and _belongs(a, window)]
    recovered = recovery(within, window.end)
    return Figures(
        window,
        requests=len(within),
        acknowledged=sum(a.writes and a.outcome == OK for a in within),
        unavailable=sum(a.status == 503 for a in within),
        unanswered=sum(a.status is None for a in within),
        defects=sum(a.status == 500 for a in within),
        recovered=recovered,
        load=_load(window, recovered, arrivals) if window.step.is_outage and recovered is not None else None,
    )


def _belongs(attempt: Attempt, window: Window) -> bool:
    """What is on its way when a fault comes is hit by that one, unless it hung already."""
    if attempt.start < window.begin:
        return attempt.end >= window.begin and window.begin - attempt.start <= HUNG_SECONDS
    return attempt.start < window.until and (attempt.end < window.until or window.until - attempt.start > HUNG_SECONDS)


def recovery(attempts: Iterable[Attempt], end: float) -> float | None:
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


def _load(window: Window, recovered: float, arrivals: Sequence[float]) -> Load:
    healed = window.end + recovered

    def rate(start: float, end: float) -> float:
        return (bisect_left(arrivals, end) - bisect_left(arrivals, start)) / (end - start)

    return Load(
        before=rate(window.begin - LOAD_SECONDS, window.begin),
        during=rate(window.begin, window.end),
        after=rate(healed, healed + LOAD_SECONDS),
    )
