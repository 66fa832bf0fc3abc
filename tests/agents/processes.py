"""Runs a part of a test in an operating-system process of its own."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NoReturn

_SPAWN = get_context("spawn")  # starts from nothing, where a fork would inherit what the test has in memory


def in_new_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """What the work returns; its process has ended by then."""
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as process:
        return process.submit(work, *arguments).result()


def until_killed(work: Callable[..., Any], *arguments: Any) -> None:
    """Return when the work has killed its process; fail if that ended in any other way."""
    process = _SPAWN.Process(target=work, args=arguments)
    process.start()
    process.join()
    assert -signal.SIGKILL == process.exitcode


def die(*_: Any) -> NoReturn:
    """Kill this process on the spot: nothing is flushed, closed or said goodbye to."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")
