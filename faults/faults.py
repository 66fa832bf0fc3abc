"""Every fault that a run can inject, with how long it takes to be over it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from time import sleep

import psutil

from .links import ON_LINKS, Injection, on
from .schedule import Step
from .stack import Stack


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
    **{
        f"database link {what}": Fault(5, on(lambda stack: [stack.database_link], act))
        for what, act in ON_LINKS.items()
    },
    **{f"client link {what}": Fault(2, on(lambda stack: stack.client_links, act)) for what, act in ON_LINKS.items()},
}
