"""Compares other settings of gunicorn and of the pool with those that are the default: `python -m bench.servers`."""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count, repeat
from typing import NamedTuple

import psutil
import psycopg2

from . import load
from .inputs import MESSAGE, SESSION, appends, request
from .rounds import Sample, Turn, interleave
from .stage import ROOT, Stage, free_port, is_busy, machine, stage, wait_until_ready

_firsts = count(1)  # each append has an id of its own, whoever sends it
CONNECTIONS = (1, 16, 64, 256)
IDLE = 20
DEFAULT = "default"


class Variant(NamedTuple):
    """What is given to gunicorn, and which settings of the service are other ones."""

    options: str = ""
    settings: dict[str, str] = {}


class Service(NamedTuple):
    port: int
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Seconds of CPU time of the workers, those included that have been replaced."""
        master = psutil.Process(self.process.pid)
        gone = master.cpu_times()
        times = [worker.cpu_times() for worker in master.children()]
        return gone.children_user + gone.children_system + sum(time.user + time.system for time in times)


def _pool(size: int) -> Variant:
    return Variant(settings={"DATABASE_POOL_SIZE": str(size), "DATABASE_MAX_OVERFLOW": "0"})


# No sync worker: it closes every connection after an answer, and one half-sent request holds all of it.
VARIANTS = {
    "gthread, 2 x 4 threads": Variant("--worker-class gthread --threads 4"),
    "gthread, 2 x 8 threads": Variant("--worker-class gthread --threads 8"),
    "gthread, 2 x 16 threads": Variant("--worker-class gthread --threads 16"),
    "keep-alive of 2 s": Variant("--keep-alive 2"),
    "a new worker after 10,000 requests": Variant("--max-requests 10000 --max-requests-jitter 1000"),
    "a pool of 5": _pool(5),
    "a pool of 10": _pool(10),
    "a pool of 20": _pool(20),
}
if find_spec("gunicorn_h1c"):
    # It is taken wherever it is installed, unless somebody says otherwise.
    VARIANTS["gunicorn's parser in Python"] = Variant("--http-parser python")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--seconds", type=float, default=1.0, help="of a turn")
    arguments.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    arguments.add_argument("--only", default="", help="variants with this in their name")
    given = arguments.parse_args()
    print(f"On {machine()}; {given.rounds} rounds of {given.seconds:g} s; ratios to the defaults, in the same round.")
    if is_busy():
        print("WARNING: this machine was busy before it began.")
    exits: dict[str, float] = {}
    with stage() as place:
        _fill(place, max(given.connections))
        print(
            "\n| Variant | Operation | Connections | Requests/s | p99 | CPU a request | Errors, its and the default's |"
        )
        print("|---|---|---|---|---|---|---|", flush=True)
        with _started(place, Variant(), exits, DEFAULT) as base:
            for name, variant in VARIANTS.items():
                if given.only in name:
                    with _started(place, variant, exits, name) as other:
                        for line in _compare(name, {DEFAULT: base, name: other}, place.api_key, given):
                            print(line, flush=True)
    print(f"\n| Variant | Seconds from TERM to the end, with {IDLE} idle connections |\n|---|---|")
    for name, seconds in exits.items():
        print(f"| {name} | {seconds:.1f} |")


def _compare(name: str, services: dict[str, Service], key: str, given: argparse.Namespace) -> Iterator[str]:
    listing = request("GET", f"/sessions/{SESSION}/agents/page/messages?limit=50&total=false", key=key)

    def appending(number: int) -> Iterator[bytes]:
        return appends(f"agent-{number}", next(_firsts) * 1_000_000, key)

    operations: dict[str, Callable[[int], Iterator[bytes]]] = {
        "append": appending,
        "list 50": lambda _: repeat(listing),
    }
    for operation, requests in operations.items():
        for connections in given.connections:
            failures: dict[str, list[str]] = {target: [] for target in services}
            turns = {
                target: _turn(service, requests, connections, given.seconds, failures[target])
                for target, service in services.items()
            }
            result = interleave(turns, given.rounds)
            ratios = [of(name, DEFAULT) for of in (result.ratio, result.tail, result.work)]
            errors = f"{len(failures[name])}, {len(failures[DEFAULT])}"
            yield f"| {name} | {operation} | {connections} | {' | '.join(map(str, ratios))} | {errors} |"


def _turn(
    service: Service, requests: Callable[[int], Iterator[bytes]], connections: int, seconds: float, failures: list[str]
) -> Turn:
    def turn() -> Sample:
        before = service.cpu()
        calls = load.run(service.port, requests, connections, seconds, failures)
        return Sample(calls, seconds, cpu=service.cpu() - before)

    return turn


@contextmanager
def _started(place: Stage, variant: Variant, exits: dict[str, float], name: str) -> Iterator[Service]:
    """The service in this variant; at the end, `exits` says how long it took to stop."""
    port = free_port()
    service = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *variant.options.split(), "wsgi:app"],
        cwd=ROOT,
        env={**place.environment, **variant.settings, "API_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", service)
        yield Service(port, service)
        exits[name] = _stop(service, port)
    finally:
        service.kill()
        service.wait()


def _stop(service: subprocess.Popen[bytes], port: int) -> float:
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(IDLE)]
    for connection in idle:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: bench\r\n\r\n")
        connection.recv(65536)
    began = time.perf_counter()
    service.terminate()
    service.wait(120)
    for connection in idle:
        connection.close()
    return time.perf_counter() - began


def _fill(place: Stage, connections: int) -> None:
    """A session with an agent for each connection, and one whose messages are listed."""
    names = ["page", *(f"agent-{number}" for number in range(connections))]
    connection = psycopg2.connect(place.database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO sessions VALUES (%s, 'default', 'AGENT', NULL, 1, now(), now())", (SESSION,))
        cursor.execute(
            "INSERT INTO session_agents SELECT %s, 'default', unnest(%s), '{}', '{}', '{}', 1, now(), now()",
            (SESSION, names),
        )
        cursor.execute(
            "INSERT INTO session_messages SELECT %s, 'default', 'page', id, %s, NULL, 1, now(), now()"
            " FROM generate_series(0, 199) AS id",
            (SESSION, json.dumps(MESSAGE)),
        )
    connection.close()


if __name__ == "__main__":
    main()
