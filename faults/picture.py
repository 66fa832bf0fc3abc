"""Draws a run: what was acknowledged and what was not in each second, and the faults that it met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .faults import FAULTS
from .history import OK
from .run import Result

# Blue and vermilion of Okabe and Ito's palette for the two lines, paler ones of it for what the faults hit.
_ACKNOWLEDGED, _FAILED = "#0072b2", "#d55e00"
_FAMILIES = {
    "database link": "#cc79a7",
    "client link": "#e69f00",
    "processes of the service": "#009e73",
    "the database": "#56b4e9",
}
_LABELLED = 40  # more faults than this have no room for their names


def draw(result: Result, path: Path) -> None:
    """The kind of picture follows from the name of the file."""
    mpl.rcParams.update({"svg.hashsalt": "faults", "font.size": 9})
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    axes = figure.add_subplot()
    attempts = [a for a in result.history if not a.is_call and a.start >= result.started]
    acknowledged = (a.end - result.started for a in attempts if a.writes and a.outcome == OK)
    failed = (a.end - result.started for a in attempts if a.status is None or a.status >= 500)
    _line(axes, acknowledged, _ACKNOWLEDGED, "writes acknowledged")
    _line(axes, failed, _FAILED, "503 or no answer")
    _faults(axes, result)
    axes.set_xlabel("seconds")
    axes.set_ylabel("per second")
    axes.set_xlim(0, max(a.end for a in attempts) - result.started)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    handles, _ = axes.get_legend_handles_labels()
    patches = [Patch(color=color, alpha=0.5, label=f"fault: {family}") for family, color in _FAMILIES.items()]
    figure.legend(handles=[*handles, *patches], loc="outside lower center", ncols=6, frameon=False)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, dpi=110)


def _line(axes: Axes, moments: Iterable[float], color: str, label: str) -> None:
    per_second = Counter(int(moment) for moment in moments)
    seconds = range(max(per_second, default=0))
    axes.plot(
        [second + 0.5 for second in seconds],
        [per_second[second] for second in seconds],
        color=color,
        linewidth=1,
        label=label,
    )


def _faults(axes: Axes, result: Result) -> None:
    top = axes.get_ylim()[1]
    for figures in result.figures:
        window = figures.window
        begin, kind = window.begin - result.started, window.step.kind
        end = window.end + (figures.recovered or 0) - result.started
        axes.axvspan(begin, max(end, begin + 0.3), color=_FAMILIES[_family(kind)], alpha=0.35, linewidth=0)
        if len(result.figures) <= _LABELLED:
            axes.text(begin, top * 1.02, kind, rotation=60, fontsize=7, va="bottom", ha="left")


def _family(kind: str) -> str:
    for link in ("database link", "client link"):
        if kind.startswith(link):
            return link
    return "processes of the service" if FAULTS[kind].hits_service else "the database"
