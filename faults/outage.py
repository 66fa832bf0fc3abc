"""What an outage does to the load that the client's library puts on the service."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from .history import Attempt

SECONDS = 10.0  # how long is looked at before and after it
BOUND = 1.2


@dataclass(frozen=True)
class Load:
    """Requests a second that came to the service before, during and after an outage; tries a call before and after."""

    before: float
    during: float
    after: float
    tries_before: float
    tries_after: float

    @property
    def growth(self) -> float:
        return max(self.during, self.after) / self.before if self.before else float("inf")

    @property
    def is_bounded(self) -> bool:
        """Whether it grew by less than BOUND. Requests a second grow, too, when the machine has less else to do; then
        the tries a call tell that the client asks no more often.
        """
        return self.growth <= BOUND or (
            self.during <= self.before * BOUND and self.tries_after <= self.tries_before * BOUND
        )


def load(begin: float, end: float, healed: float, attempts: Sequence[Attempt], arrivals: Sequence[float]) -> Load:
    """`arrivals` are the moments at which requests of the library came to the service, in order."""

    def rate(start: float, end: float) -> float:
        return (bisect_left(arrivals, end) - bisect_left(arrivals, start)) / (end - start)

    def tries(start: float) -> float:
        lines = [a.is_call for a in attempts if a.client == "agent" and start <= a.start < start + SECONDS]
        return (len(lines) - sum(lines)) / max(sum(lines), 1)

    return Load(
        before=rate(begin - SECONDS, begin),
        during=rate(begin, end),
        after=rate(healed, healed + SECONDS),
        tries_before=tries(begin - SECONDS),
        tries_after=tries(healed),
    )
