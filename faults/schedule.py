"""Which faults a run injects, when and for how long: all of it from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import NamedTuple


class Times(NamedTuple):
    """Seconds that a fault is held in a short, a usual and a long run, and how often a long run has it."""

    short: float
    usual: float
    long: float
    often: int = 2


_INSTANT = Times(0, 0, 0)
_ON_LINKS = {
    "delayed": Times(1.5, 2, 5),
    "throttled": Times(1.5, 2, 5),
    "blackholed": Times(1.5, 4, 20),
    "refused on connect": Times(1.5, 10, 10),
    "closed": _INSTANT,
    "reset": _INSTANT,
    "cut before the statement": Times(1, 1, 3),
    "cut in mid-statement": Times(1, 1, 3),
    "cut after COMMIT": Times(1, 1, 3),
}
KINDS: dict[str, Times] = {
    "worker killed": Times(0, 0, 0, 15),
    "master killed": Times(0, 0, 0, 8),
    "backend killed": Times(0, 0, 0, 15),
    "postmaster killed": Times(0, 0, 0, 12),
    "worker frozen": Times(2, 22, 22),
    "database frozen": Times(2, 4, 20),
    "reload (HUP)": _INSTANT,
    "stop (TERM) and start": _INSTANT,
    "service before its database": Times(1, 2, 3),
    "pool exhausted": Times(3, 4, 10),
    "table locked": Times(2.5, 5, 30),
    "disk full": Times(1.5, 3, 10),
    **{f"{link} link {what}": times for link in ("database", "client") for what, times in _ON_LINKS.items()},
}
LENGTHS = ("short", "usual", "long")
PARTS = 3  # short runs with this many seeds in a row have every kind between them
OUTAGE_SECONDS = 10.0  # from this length on, the load before and after a link is refused is compared


@dataclass(frozen=True)
class Step:
    """A fault of this kind, held for `seconds` after a pause; `index` says which process, `count` how many cuts."""

    kind: str
    pause: float
    seconds: float
    index: int
    count: int

    @property
    def is_outage(self) -> bool:
        return self.kind.endswith("refused on connect") and self.seconds >= OUTAGE_SECONDS


def plan(seed: int, length: str) -> list[Step]:
    """The same steps for the same seed and length (short, usual or long)."""
    random = Random(f"{seed} {length}")
    kinds = list(KINDS)
    if length == "short":
        kinds = kinds[seed % PARTS :: PARTS]
    elif length == "long":
        kinds = [kind for kind in kinds for _ in range(KINDS[kind].often)]
    random.shuffle(kinds)
    steps = []
    for kind in kinds:
        seconds: float = getattr(KINDS[kind], length)
        pause = random.uniform(0.3, 1.0)
        steps.append(Step(kind, pause, seconds, random.randrange(1000), random.randrange(5, 20)))
    return steps
