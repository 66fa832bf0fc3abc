"""Says in Markdown what a run did and whether every promise was kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from . import outage
from .checker import Violation
from .faults import FAULTS
from .history import OK
from .measure import Figures
from .run import Result

_SHOWN = 20  # broken promises of a kind, to be written out


def failures(result: Result) -> list[str]:
    """A sentence for everything that must not be."""
    return [
        *(f"{v.rule}: {v.key} {v.seen}" for v in result.violations),
        *(f"{f.window.step.kind}: {_verdict([f])}" for f in result.figures if not _is_kept(f)),
    ]


def report(result: Result) -> str:
    lines = [
        f"# Faults, seed {result.seed}, {result.length} run",
        "",
        f"{_sum(result)} {result.machine}.",
        "",
        *_table(result.figures),
        "",
        "Recovered: the longest time from the end of a fault until acknowledged writes flowed again from all client",
        "processes and nothing that was begun later failed.",
        "",
        *_of_the_client(result),
        *_broken(result.violations),
        "",
        f"Again: `make faults SEED={result.seed} LENGTH={result.length}`",
    ]
    return "\n".join(lines) + "\n"


def _sum(result: Result) -> str:
    attempts = [a for a in result.history if not a.is_call]
    acknowledged = sum(a.writes and a.outcome == OK for a in attempts)
    defects = sum(a.status == 500 for a in attempts)
    missed = sum(not _is_kept(figures) for figures in result.figures)
    seconds = max(a.end for a in attempts) - result.started
    return (
        f"{len(attempts):,} requests in {seconds:,.0f} s, {acknowledged:,} writes acknowledged. Promises"
        f" broken: {len(result.violations)}. Answers of 500: {defects}. Bounds missed: {missed}."
    )


def _table(figures: Iterable[Figures]) -> Iterator[str]:
    by_kind: dict[str, list[Figures]] = {kind: [] for kind in FAULTS}
    for each in figures:
        by_kind[each.window.step.kind].append(each)
    yield "| Fault | Times | Held (s) | Requests | Writes acknowledged | 503 | No answer | Recovered (s) | Bound | |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|---|"
    for kind, group in by_kind.items():
        ran = [each for each in group if each.window.obstacle is None]
        if not group:
            continue
        worst = max((each.recovered for each in ran if each.recovered is not None), default=None)
        counts = (
            sum(column)
            for column in zip(*((f.requests, f.acknowledged, f.unavailable, f.unanswered) for f in group), strict=True)
        )
        cells = [
            kind,
            f"{len(ran)}",
            f"{max((f.window.end - f.window.begin for f in ran), default=0):.1f}",
            *(f"{count:,}" for count in counts),
            "-" if worst is None else f"{worst:.2f}",
            f"{FAULTS[kind].bound:g}",
            _verdict(group),
        ]
        yield f"| {' | '.join(cells)} |"


def _verdict(group: list[Figures]) -> str:
    obstacles = [f.window.obstacle for f in group if f.window.obstacle is not None]
    if obstacles:
        return f"not run: {obstacles[0]}"
    if any(f.recovered is None for f in group):
        return "**did not recover**"
    if any(map(_is_silent, group)):
        return "**/health/live was silent**"
    if any(f.load is not None and not f.load.is_bounded for f in group):
        return f"**load grew more than {outage.BOUND} times**"
    return "kept" if all(map(_is_kept, group)) else "**bound missed**"


def _is_kept(figures: Figures) -> bool:
    if figures.window.obstacle is not None:
        return True
    if figures.recovered is None or figures.recovered > FAULTS[figures.window.step.kind].bound:
        return False
    if figures.defects or _is_silent(figures):
        return False
    return figures.load is None or figures.load.is_bounded


def _is_silent(figures: Figures) -> bool:
    return figures.silent > 0 and not FAULTS[figures.window.step.kind].hits_service


def _of_the_client(result: Result) -> Iterator[str]:
    of_agents = [a for a in result.history if a.client == "agent"]
    calls = [a for a in of_agents if a.is_call]
    given_up = sum(a.outcome != OK and (a.status is None or a.status >= 500) for a in calls)
    appended = sum(a.operation == "POST message" and "/agents/log/" in a.key and a.outcome == OK for a in calls)
    gaps = sum(v.rule in ("gap", "duplicate") and "/agents/log/" in v.key for v in result.violations)
    yield (
        f"The client's library: {len(calls):,} calls in {len(of_agents) - len(calls):,} tries, {given_up:,} given up"
        f" in the end. Agents that append in the order of their ids: {appended:,} messages, {gaps} gaps or"
        " duplicates."
    )
    loads = [(f.window.step.kind, f.load) for f in result.figures if f.load is not None]
    if loads:
        yield ""
        yield "| Outage of 10 s | Requests/s before | during | after | Growth | Bound | Tries a call before | after |"
        yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for kind, load in loads:
        rates = f"{load.before:.1f} | {load.during:.1f} | {load.after:.1f} | {load.growth:.2f}"
        yield f"| {kind} | {rates} | {outage.BOUND} | {load.tries_before:.2f} | {load.tries_after:.2f} |"


def _broken(violations: list[Violation]) -> Iterator[str]:
    for rule in sorted({v.rule for v in violations}):
        of_rule = [v for v in violations if v.rule == rule]
        yield ""
        yield f"## {rule}: {len(of_rule)}"
        yield ""
        yield from (f"- `{v.key}` {v.seen}" for v in of_rule[:_SHOWN])
