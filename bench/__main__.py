"""`python -m bench [--quick]`: measures everything, prints ratios as they come, keeps them in bench/results.json."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import psutil
from strands.session.file_session_manager import FileSessionManager

from . import client, operations, stack
from .direct import DirectRepository

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    options.add_argument("--quick", action="store_true", help="few and short rounds, to see that it works")
    quick = options.parse_args().quick
    rounds, seconds = (3, 0.3) if quick else (11, 1.0)
    with stack.started() as running, tempfile.TemporaryDirectory() as directory:
        files = FileSessionManager("bench", storage_dir=directory)
        direct = DirectRepository(running.database_url)
        measured = operations.Measurements(running, files, direct, rounds, seconds)
        tables = {"machine": machine(), "rounds": rounds, "seconds": seconds, "quick": quick}
        tables |= measured.all(lambda line: print(line, file=sys.stderr, flush=True))
        url = f"http://127.0.0.1:{running.ports['service']}"
        # In a process as small as an agent's: what this one has gathered would slow it down.
        with ProcessPoolExecutor(1, get_context("spawn")) as agent:
            asked = agent.submit(client.measure, url, running.key, running.database_url, 5 if quick else 25)
            of_client = asked.result()
        tables["client"] = {
            "requests": of_client.requests,
            "compared": [(what, vars(ratio), aim) for what, ratio, aim in (*of_client.restores, *of_client.appends)],
        }
    RESULTS.write_text(json.dumps(tables, indent=1))
    print(f"Kept in {RESULTS}; `make bench-report` writes docs/performance.md of it.")


def machine() -> dict[str, object]:
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {
        "date": date.today().isoformat(),
        "cores": os.cpu_count(),
        "processor": model,
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
