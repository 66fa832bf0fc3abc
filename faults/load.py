"""Several client processes, each with a few threads that work at a steady pace."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from random import Random
from time import monotonic

from strands.types.session import Session

from strands_session_client.errors import SessionRepositoryError

from . import documents, recorded
from .history import Recorder
from .raw import RawClient
from .recorded import Target
from .workers import PROCESSES, Appender, Counter, Keeper, Raw, Worker, session_id

PACE_SECONDS = 0.1  # between the steps of a thread; a late one does not hurry afterwards


def workers(target: Target, seed: int, process: int, recorder: Recorder) -> list[Worker]:
    """All that one process does, each for a thread of its own; their parents are made here."""

    def random(role: str) -> Random:
        return Random(f"{seed} {process} {role}")

    repository = recorded.repository(target, seed, process, recorder)
    repository.create_session(Session(session_id(seed, process), "AGENT"))  # type: ignore[arg-type]
    if process == 0:
        counter = documents.agent("counter", random("start"))
        path = f"sessions/{session_id(seed, 0)}/agents"
        RawClient(target, seed, process, recorder).send("POST", path, {"agent_id": "counter", **counter})
    return [
        Appender(repository, seed, process, random("appender")),
        Keeper(repository, seed, process, random("keeper")),
        Raw(RawClient(target, seed, process, recorder), seed, process, random("raw")),
        Counter(RawClient(target, seed, process, recorder), seed, process, random("counter")),
    ]


def work(worker: Worker, pause: Callable[[float], bool]) -> None:
    """Step until `pause`, which gets the seconds to wait for, says that it is enough."""
    due = monotonic()
    while not pause(max(due - monotonic(), 0)):
        due = max(due, monotonic()) + PACE_SECONDS
        with suppress(SessionRepositoryError):
            worker.step()


@contextmanager
def running(target: Target, seed: int, history: Path) -> Iterator[Event]:
    """The load, from when every process has begun until every step that was begun has ended. The event is set when one
    of them fails.
    """
    # A fork server that has imported everything already: four processes would import it four times.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faults.load"])
    stop, begun = context.Event(), context.Barrier(PROCESSES + 1)
    arguments = (target, seed, history, stop, begun)
    processes = [context.Process(target=_process, args=(number, *arguments)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    try:
        begun.wait(60)
        yield stop
    finally:
        stop.set()
        for process in processes:
            process.join(60)
            if process.is_alive():
                process.kill()
    broken = [process.exitcode for process in processes if process.exitcode]
    if broken:
        raise RuntimeError(f"client processes ended with {broken}")


def _process(
    number: int,
    target: Target,
    seed: int,
    history: Path,
    stop: Event,
    begun: Barrier,
) -> None:
    mine = workers(target, seed, number, Recorder(history))
    begun.wait(60)
    with ThreadPoolExecutor(len(mine)) as threads:
        done = wait([threads.submit(work, worker, stop.wait) for worker in mine], return_when=FIRST_EXCEPTION)
        stop.set()
    for future in done.done | done.not_done:
        future.result()
