"""Every fault that a run can inject, with how long it takes to be over it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from time import sleep

import psutil

from .proxy import Proxy
from .schedule import Step
from .stack import Stack

Injection = Callable[[Stack, Step], AbstractContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """`bound` is in seconds from the fault's end until acknowledged writes flow again from all client processes.

    What takes the database away ends when its port is open again. What happens in an instant (`instant`) ends as it
    begins; its injection goes on until everything that it sets off has happened. Whatever does not hit processes of the
    service itself (`hits_service`) must leave it alive: /health/live answers all the time.
    """

    bound: float
    inject: Injection
    instant: bool = False
    hits_service: bool = False


@contextmanager
def _kill_worker(stack: Stack, step: Step) -> Iterator[None]:
    workers = stack.service.workers()
    workers[step.index % len(workers)].kill()
    yield


@contextmanager
def _others_take_over(stack: Stack) -> Iterator[None]:
    """Until none of the workers is left, and new ones serve."""
    leaving = stack.service.workers()
    yield
    psutil.wait_procs(leaving, 60)
    stack.service.wait_until("/health/ready")


@contextmanager
def _kill_master(stack: Stack, step: Step) -> Iterator[None]:
    with _others_take_over(stack):
        stack.service.signal(signal.SIGKILL)
        yield


@contextmanager
def _reload(stack: Stack, step: Step) -> Iterator[None]:
    with _others_take_over(stack):
        stack.service.signal(signal.SIGHUP)
        yield


@contextmanager
def _terminate(stack: Stack, step: Step) -> Iterator[None]:
    with _others_take_over(stack):
        stack.service.signal(signal.SIGTERM)
        yield


@contextmanager
def _kill_backend(stack: Stack, step: Step) -> Iterator[None]:
    stack.postgres.kill_backend(step.index)
    yield


@contextmanager
def _kill_postmaster(stack: Stack, step: Step) -> Iterator[None]:
    stack.postgres.kill()
    yield
    stack.postgres.start()


@contextmanager
def _start_before_database(stack: Stack, step: Step) -> Iterator[None]:
    stack.service.stop()
    stack.postgres.stop()
    stack.service.start()
    yield
    stack.postgres.start()


@contextmanager
def _freeze_database(stack: Stack, step: Step) -> Iterator[None]:
    frozen = stack.postgres.freeze()
    try:
        yield
    finally:  # what is frozen would not even hear that it is to stop
        for process in frozen:
            process.resume()


@contextmanager
def _freeze_worker(stack: Stack, step: Step) -> Iterator[None]:
    workers = stack.service.workers()
    frozen = workers[step.index % len(workers)]
    frozen.suspend()
    try:
        yield
    finally:
        frozen.resume()


@contextmanager
def _lock_table(stack: Stack, step: Step) -> Iterator[None]:
    with closing(stack.postgres.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("LOCK TABLE session_messages IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def _exhaust_pool(stack: Stack, step: Step) -> Iterator[None]:
    define = "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
    trigger = "CREATE OR REPLACE TRIGGER slow BEFORE INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION slow()"
    tables = ("session_messages", "session_agents")
    stack.postgres.execute(
        f"{define} 'BEGIN PERFORM pg_sleep(3); RETURN NEW; END'", *(trigger.format(table) for table in tables)
    )
    yield
    # To drop the trigger would need locks that the slow statements hold.
    stack.postgres.execute(f"{define} 'BEGIN RETURN NEW; END'")
    while stack.postgres.rows("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
        sleep(0.02)


@contextmanager
def _fill_disk(stack: Stack, step: Step) -> Iterator[None]:
    stack.disk.fill()
    yield
    stack.disk.free()


def _delay(link: Proxy, step: Step) -> None:
    link.delay = 0.3


def _throttle(link: Proxy, step: Step) -> None:
    link.bytes_per_second = 20_000


def _blackhole(link: Proxy, step: Step) -> None:
    link.stall()


def _refuse(link: Proxy, step: Step) -> None:
    link.refuses = True
    link.cut()


_ON_LINKS: dict[str, Callable[[Proxy, Step], None]] = {
    "delayed": _delay,
    "throttled": _throttle,
    "blackholed": _blackhole,
    "refused on connect": _refuse,
    "closed": lambda link, step: link.cut(),
    "reset": lambda link, step: link.reset(),
    "cut before the statement": lambda link, step: link.cut_requests(step.count),
    "cut in mid-statement": lambda link, step: link.cut_halves(step.count),
    "cut after COMMIT": lambda link, step: link.cut_answers(step.count),
}


def _on(links: Callable[[Stack], list[Proxy]], begin: Callable[[Proxy, Step], None]) -> Injection:
    @contextmanager
    def inject(stack: Stack, step: Step) -> Iterator[None]:
        for link in links(stack):
            begin(link, step)
        yield
        for link in links(stack):
            link.calm()

    return inject


FAULTS = {
    "worker killed": Fault(2, _kill_worker, hits_service=True),
    "master killed": Fault(15, _kill_master, instant=True, hits_service=True),
    "backend killed": Fault(5, _kill_backend),
    "postmaster killed": Fault(10, _kill_postmaster),
    "worker frozen": Fault(2, _freeze_worker, hits_service=True),
    "database frozen": Fault(5, _freeze_database),
    "reload (HUP)": Fault(2, _reload, instant=True, hits_service=True),
    "stop (TERM) and start": Fault(15, _terminate, instant=True, hits_service=True),
    "service before its database": Fault(10, _start_before_database, hits_service=True),
    "pool exhausted": Fault(2, _exhaust_pool),
    "table locked": Fault(1, _lock_table),
    "disk full": Fault(2, _fill_disk),
    **{f"database link {what}": Fault(5, _on(lambda s: [s.database_link], act)) for what, act in _ON_LINKS.items()},
    **{f"client link {what}": Fault(2, _on(lambda s: s.client_links, act)) for what, act in _ON_LINKS.items()},
}
