"""The command `python -m faults`: breaks the service in every way that it must survive, and says whether it did."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path
from time import monotonic

import click

from . import picture, stack
from .report import failures, report
from .run import Result, run
from .schedule import LENGTHS
from .stack import Stack


@click.command()
@click.option("--seed", "seeds", type=int, multiple=True, help="Replays that schedule; several are run one by one.")
@click.option("--length", type=click.Choice(LENGTHS), default="usual", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("build/faults"), show_default=True)
def main(seeds: tuple[int, ...], length: str, output: Path) -> None:
    """Inject faults under load and check every promise; ends with 1 when one was broken."""
    broken = []
    output.mkdir(parents=True, exist_ok=True)
    with stack.running(output) as running:
        for seed in seeds or (secrets.randbelow(1_000_000),):
            result = _run(running, seed, length, output / f"{length}-{seed}")
            broken += [f"seed {seed}: {sentence}" for sentence in failures(result)]
    if broken:
        click.echo(f"{len(broken)} failures:\n" + "\n".join(broken[:50]), err=True)
        sys.exit(1)


def _run(running: Stack, seed: int, length: str, directory: Path) -> Result:
    """Tells what it does, and leaves report, history and timeline in the directory."""
    directory.mkdir(exist_ok=True)
    click.echo(f"Seed {seed}, {length} run")
    began = monotonic()
    history = directory / "history.jsonl"
    result = run(running, seed, length, history, lambda line: click.echo(f"{monotonic() - began:7.1f} s  {line}"))
    text = report(result)
    (directory / "report.md").write_text(text)
    picture.draw(result, directory / "timeline.svg")
    click.echo(f"\n{text}\nReport, history and timeline: {directory}\n")
    return result


if __name__ == "__main__":
    main()
