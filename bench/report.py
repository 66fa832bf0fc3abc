"""Writes docs/performance.md and its picture out of what `python -m bench` kept: `python -m bench.report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

from .__main__ import RESULTS
from .rounds import Ratio

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
TARGETS = ("bare", "pgbench", "direct", "files")


def main() -> None:
    results = json.loads(RESULTS.read_text())
    page = DOCS / "performance.md"
    before, _, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n{tables(results)}\n{END}{after}")
    draw(results["operations"], DOCS / "performance.svg")
    print(f"Wrote {page} and {page.with_suffix('.svg')}.")


def tables(results: dict[str, Any]) -> str:
    machine = results["machine"]
    lines = [
        f"{machine['date']}, {machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}; {results['rounds']} rounds of {results['seconds']} s each. "
        "A ratio is the service's rows a second by the other's, in the same round: median (quartiles).",
        "",
        "| Operation | Connections | Rows/s | p50 ms | p99 ms | of bare Flask | of pgbench | of direct psycopg2 "
        "| of FileSessionManager |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["operations"]:
        ratios = [_cell(row["ratios"].get(target)) for target in TARGETS]
        figures = [row["operation"], row["connections"], row["rows_per_second"], row["p50_ms"], row["p99_ms"], *ratios]
        lines.append("| " + " | ".join(str(figure) for figure in figures) + " |")
    lengths = list(results["flat"][0]["cost"])
    lines += [
        "",
        "What a call costs in an agent with so many messages, by what it costs in one with none (a page: with 50):",
        "",
        "| Operation | " + " | ".join(f"{int(length):,}" for length in lengths) + " |",
        "|---" * (len(lengths) + 1) + "|",
    ]
    for row in results["flat"]:
        lines.append(f"| {row['operation']} | " + " | ".join(_cell(row["cost"][length]) for length in lengths) + " |")
    lines += [
        "",
        "The client, restoring 1,000 messages (session, agent and conversation) and appending; time, for appends CPU "
        "time, by that of the other:",
        "",
        "| What, by what | Ratio | Aim |",
        "|---|---|---|",
        *(f"| {what} | {_cell(ratio)} | {aim} |" for what, ratio, aim in results["client"]["compared"]),
        "",
        "| Restore | Requests | Bytes of the answers |",
        "|---|---|---|",
        *(f"| {name} | {asked} | {answered:,} |" for name, (asked, answered) in results["client"]["requests"].items()),
    ]
    memory = ", ".join(f"{target} {' and '.join(map(str, sizes))}" for target, sizes in results["memory_mib"].items())
    lines += ["", "![Rows a second, by those of bare Flask](performance.svg)"]
    lines += ["", f"Memory of each worker afterwards, in MiB: {memory}."]
    noisy = [
        f"{row['operation']} on {row['connections']} by {target}"
        for row in results["operations"]
        for target, ratio in row["ratios"].items()
        if Ratio(**ratio).noisy
    ]
    if noisy:
        lines += ["", f"Too noisy to rely on, measure again on a quiet machine: {', '.join(noisy)}."]
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "performance"
    figure, axes = plt.subplots(figsize=(9, 4.2))
    names = [f"{row['operation']}\n{row['connections']} conn." for row in rows]
    medians = [row["ratios"]["bare"]["median"] for row in rows]
    errors = [
        [row["ratios"]["bare"]["median"] - row["ratios"]["bare"]["low"] for row in rows],
        [row["ratios"]["bare"]["high"] - row["ratios"]["bare"]["median"] for row in rows],
    ]
    axes.bar(range(len(rows)), medians, yerr=errors, capsize=3, color="#4c78a8")
    axes.axhline(0.8, color="#e45756", linewidth=1, linestyle="--", label="goal: 0.8")
    axes.axhline(1, color="#777777", linewidth=1, label="bare Flask, psycopg2, orjson")
    axes.set_xticks(range(len(rows)), names, fontsize=7)
    axes.set_ylabel("rows a second, by those of the bare handler")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def _cell(ratio: dict[str, float] | None) -> str:
    return "" if ratio is None else str(Ratio(**ratio))


if __name__ == "__main__":
    main()
