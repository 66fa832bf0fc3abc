"""One run: the load on a stack, the faults of the schedule one after the other, and the verdict."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from time import monotonic, sleep

from . import final, load, outage, workers
from .checker import Violation, check
from .faults import FAULTS
from .history import Attempt, Reader
from .measure import Figures, Window, figures, recovery
from .probe import looking
from .schedule import Step, plan
from .stack import Stack

CALM_SECONDS = 1.0


@dataclass(frozen=True)
class Result:
    """What came of a run; `started` is the monotonic clock's zero for its report."""

    seed: int
    length: str
    started: float
    history: list[Attempt]
    figures: list[Figures]
    violations: list[Violation]
    machine: str


def run(running: Stack, seed: int, length: str, history: Path, tell: Callable[[str], None]) -> Result:
    """Inject the faults of this seed and judge what happened; the history is written to that file."""
    history.write_bytes(b"")
    reader = Reader(history)
    started = monotonic()
    with load.running(running.target, seed, history) as failed, looking(running.service.url) as probes:
        sleep(CALM_SECONDS)
        windows = []
        for step in plan(seed, length):
            windows.append(_inject(running, step, reader, tell))
            if failed.is_set():
                raise RuntimeError("a client process failed")
    reader.read()
    prefix = workers.session_id(seed, 0)[:-1]
    api = final.through_api(running.service.url, prefix, running.key)
    sql = final.by_sql(running.postgres.rows, prefix)
    arrivals = list(running.agents_link.requests)
    (version,) = running.postgres.rows("SHOW server_version")[0]
    ends = [window.begin for window in windows[1:]] + [float("inf")]
    windows = [Window(w.step, w.begin, w.end, end, w.obstacle) for w, end in zip(windows, ends, strict=True)]
    attempts = sorted(reader.attempts, key=attrgetter("start"))
    return Result(
        seed,
        length,
        started,
        attempts,
        [figures(window, attempts, arrivals, probes) for window in windows],
        check(attempts, api, sql),
        f"Python {platform.python_version()}, PostgreSQL {version}, {os.cpu_count()} cores",
    )


def _inject(running: Stack, step: Step, reader: Reader, tell: Callable[[str], None]) -> Window:
    fault = FAULTS[step.kind]
    if step.kind == "disk full" and running.disk.obstacle is not None:
        now = monotonic()
        tell(f"{step.kind}: not run, {running.disk.obstacle}")
        return Window(step, now, now, now, running.disk.obstacle)
    sleep(outage.SECONDS if step.is_outage else step.pause)
    reader.read()
    begin, seen = monotonic(), len(reader.attempts)
    with fault.inject(running, step):
        sleep(step.seconds)
    end = begin if fault.instant else monotonic()
    while True:
        sleep(0.1)
        reader.read()
        recovered = recovery(reader.attempts[seen:], end)
        calm = outage.SECONDS if step.is_outage else CALM_SECONDS
        if recovered is not None and monotonic() > end + recovered + calm:
            tell(f"{step.kind}: held {end - begin:.1f} s, recovered after {recovered:.2f} s")
            break
        if monotonic() > end + fault.bound + 10:
            tell(f"{step.kind}: held {end - begin:.1f} s, not recovered after {fault.bound + 10:.0f} s")
            break
    return Window(step, begin, end, monotonic())
