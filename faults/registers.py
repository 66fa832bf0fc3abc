"""What a read of one key may return, given all that was written to it and when."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate

from .history import FAILED, OK, Attempt

ABSENT = None  # the value of a key without a row
AFTERWARDS = 1e18  # a moment after everything but what may never come

FINE, NEVER_WRITTEN, REFUSED, FUTURE, STALE = "fine", "never written", "refused", "future", "stale"


@dataclass
class Write:
    """A value that was to be stored from `start` on. `visible` is when it was there for certain, if ever; until
    `settled` it may still have come to be stored.
    """

    value: str | None
    start: float
    visible: float
    settled: float
    failed: bool


@dataclass
class Register:
    """The writes to one key; before the first, its row was absent."""

    writes: list[Write] = field(
        default_factory=lambda: [Write(ABSENT, float("-inf"), float("-inf"), float("-inf"), failed=False)]
    )

    def add(self, value: str | None, attempt: Attempt) -> None:
        end = attempt.end if attempt.outcome == OK else float("inf")
        self.writes.append(Write(value, attempt.start, end, end, attempt.outcome == FAILED))

    def observe(self, value: str | None, end: float) -> None:
        """A read returned the value: the write was visible when the read ended, whatever its own outcome."""
        possible = [write for write in self._by_value.get(value, ()) if not write.failed]
        if len(possible) == 1:
            possible[0].visible = min(possible[0].visible, end)

    def judge(self, value: str | None, start: float, end: float) -> str:
        """Whether a read from `start` to `end` may return the value; to be called when all reads were observed."""
        written = self._by_value.get(value)
        if not written:
            return NEVER_WRITTEN
        possible = [write for write in written if not write.failed]
        if not possible:
            return REFUSED
        begun = [write for write in possible if write.start <= end]
        if not begun:
            return FUTURE
        latest = self._latest_start_among_visible(start)
        return FINE if any(write.settled >= latest for write in begun) else STALE

    @property
    def is_there(self) -> bool:
        """Whether a row must be there at the end."""
        return self.judge(ABSENT, AFTERWARDS, AFTERWARDS) != FINE

    def _latest_start_among_visible(self, moment: float) -> float:
        times, latest = self._visible
        return latest[bisect_right(times, moment) - 1]

    @cached_property
    def _by_value(self) -> dict[str | None, list[Write]]:
        found: dict[str | None, list[Write]] = {}
        for write in self.writes:
            found.setdefault(write.value, []).append(write)
        return found

    @cached_property
    def _visible(self) -> tuple[list[float], list[float]]:
        """When writes became visible, and for each of these moments the latest start among those until then."""
        in_order = sorted((write.visible, write.start) for write in self.writes if not write.failed)
        return [visible for visible, _ in in_order], list(accumulate((start for _, start in in_order), max))


def registers(history: Iterable[Attempt]) -> dict[str, Register]:
    """By key, all calls that write; a deletion takes along what lies under its key."""
    calls = [a for a in history if a.writes and (a.is_call or a.call is None)]
    found: dict[str, Register] = {}
    for call in calls:
        found.setdefault(call.key, Register()).add(call.sha256, call)
    by_parent: dict[str, list[str]] = {}
    for key in found:
        parts = key.split("/")
        for length in range(2, len(parts), 2):
            by_parent.setdefault("/".join(parts[:length]), []).append(key)
    for call in calls:
        if call.method == "DELETE":
            for key in by_parent.get(call.key, ()):
                found[key].add(ABSENT, call)
    return found
