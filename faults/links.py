"""What is done to the links between clients, service and database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from .proxy import Proxy
from .schedule import Step
from .stack import Stack

Injection = Callable[[Stack, Step], AbstractContextManager[None]]


def _delay(link: Proxy, step: Step) -> None:
    link.delay = 0.3


def _throttle(link: Proxy, step: Step) -> None:
    link.bytes_per_second = 20_000


def _blackhole(link: Proxy, step: Step) -> None:
    link.stall()


def _refuse(link: Proxy, step: Step) -> None:
    link.refuses = True
    link.cut()


ON_LINKS: dict[str, Callable[[Proxy, Step], None]] = {
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


def on(links: Callable[[Stack], list[Proxy]], begin: Callable[[Proxy, Step], None]) -> Injection:
    """The injection of what `begin` does to each of these links."""

    @contextmanager
    def inject(stack: Stack, step: Step) -> Iterator[None]:
        for link in links(stack):
            begin(link, step)
        yield
        for link in links(stack):
            link.calm()

    return inject
