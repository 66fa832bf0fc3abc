"""Who waits for a connection gets one in the order of coming."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep

import pytest

from session_api.gate import Full, Gate


@contextmanager
def place(gate: Gate) -> Iterator[None]:
    gate.enter()
    try:
        yield
    finally:
        gate.leave()


def test_those_who_wait_are_let_in_in_the_order_in_which_they_came() -> None:
    gate = Gate(places=1, seconds=30)
    order: list[int] = []

    def enter(number: int) -> None:
        with place(gate):
            order.append(number)

    threads = [threading.Thread(target=enter, args=(number,)) for number in range(20)]
    with place(gate):
        for waiting, thread in enumerate(threads, 1):
            thread.start()
            while len(gate._waiting) < waiting:
                sleep(0.001)
    for thread in threads:
        thread.join()

    assert list(range(20)) == order


def test_a_newcomer_does_not_overtake() -> None:
    gate = Gate(places=1, seconds=30)
    order: list[str] = []

    def enter(name: str) -> None:
        with place(gate):
            order.append(name)

    first = threading.Thread(target=enter, args=("first",))
    with place(gate):
        first.start()
        while not gate._waiting:
            sleep(0.001)
    enter("newcomer")
    first.join()

    assert ["first", "newcomer"] == order


def test_who_waits_too_long_gives_up_and_leaves_the_place_to_others() -> None:
    gate = Gate(places=1, seconds=0.01)

    with place(gate), pytest.raises(Full), place(gate):
        pass

    with place(gate):
        assert not gate._waiting


def test_never_more_than_there_are_places() -> None:
    gate = Gate(places=3, seconds=30)
    inside: list[int] = []
    most: list[int] = []

    def enter() -> None:
        for _ in range(50):
            with place(gate):
                inside.append(1)
                most.append(len(inside))
                sleep(0)
                inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 500 == len(most)
    assert 3 >= max(most)
