"""The client's library as it is, leaving a line in the history for each of its calls and for every try of a call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from time import monotonic
from typing import Any, NamedTuple, TypeVar

import requests

from strands_session_client import PostgreSQLSessionRepository
from strands_session_client.answers import Answer
from strands_session_client.cache import DEFAULT_BYTES, Cache
from strands_session_client.errors import ConflictError, SessionRepositoryError
from strands_session_client.pages import Pages
from strands_session_client.reader import Page, Reader
from strands_session_client.resources import Resources
from strands_session_client.settings import hidden
from strands_session_client.transport import Transport
from strands_session_client.wire import Document

from . import exchange
from .history import FAILED, OK, UNKNOWN, Attempt, Recorder

T = TypeVar("T")


class Target(NamedTuple):
    """Where the two kinds of clients find the service, and the key that it asks for, if any."""

    agents_url: str
    raw_url: str
    key: str | None = None


def repository(target: Target, seed: int, process: int, recorder: Recorder) -> PostgreSQLSessionRepository:
    """The client's library, with doors that write down who passes."""
    recorded = PostgreSQLSessionRepository(target.agents_url, api_key=target.key)
    book = _Book(seed, process, recorder)
    transport, cache = _Transport(target, book), Cache(target.agents_url, hidden(target.key), DEFAULT_BYTES)
    recorded._stored = Resources(transport, cache)
    recorded._stored._reader = _Reader(transport, cache, book)
    recorded._stored._pages = Pages(recorded._stored._reader, cache)
    return recorded


class _Book:
    """Numbers the calls of a process, and knows what the tries of each came to. Safe to share between threads."""

    def __init__(self, seed: int, process: int, recorder: Recorder) -> None:
        self._whose = {"seed": seed, "process": process, "client": "agent"}
        self._recorder = recorder
        self._numbers = count()
        self._mine = threading.local()

    def begin(self) -> None:
        self._mine.call, self._mine.outcomes = next(self._numbers), set()

    def add_try(self, known: dict[str, Any], start: float, learned: dict[str, Any]) -> None:
        self._mine.outcomes.add(learned["outcome"])
        self._add(known, start, learned, is_call=False)

    def add_call(
        self, known: dict[str, Any], start: float, learned: dict[str, Any], error: SessionRepositoryError | None = None
    ) -> None:
        if error is not None:
            is_there = isinstance(error, ConflictError) and (error.details or {}).get("identical") is True
            failed = UNKNOWN if UNKNOWN in self._mine.outcomes else FAILED
            learned = {"outcome": OK if is_there else failed, "status": error.status}
        self._add(known, start, learned, is_call=True)

    def _add(self, known: dict[str, Any], start: float, learned: dict[str, Any], *, is_call: bool) -> None:
        fields = {**self._whose, **known, **learned, "call": self._mine.call, "is_call": is_call}
        self._recorder.record(Attempt(**fields, start=start, end=monotonic()))


class _Transport(Transport):
    """Writes down each try, and the calls that write."""

    def __init__(self, target: Target, book: _Book) -> None:
        super().__init__(target.agents_url, hidden(target.key), 30.0)
        self._book = book

    def call(self, method: str, path: str, document: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        if method == "GET":
            return super().call(method, path, document, **options)
        self._book.begin()
        known, start = exchange.request(method, path, document), monotonic()
        try:
            answer = super().call(method, path, document, **options)
        except SessionRepositoryError as error:
            self._book.add_call(known, start, {}, error)
            raise
        self._book.add_call(known, start, {"outcome": OK})
        return answer

    def _send(self, request: requests.PreparedRequest, deadline: float) -> Answer:
        body = exchange.parsed(request.body) if request.body else None
        known = exchange.request(request.method or "", request.url or "", body)
        known["request_id"] = request.headers["X-Request-ID"]
        start = monotonic()
        learned: dict[str, Any] = {"outcome": UNKNOWN}
        try:
            answer = super()._send(request, deadline)
            learned = exchange.answer(known["operation"], known["key"], answer.status, answer.body or {})
            return answer
        except (OSError, ValueError) as failure:
            learned = {"outcome": exchange.outcome_without_answer(failure)}
            raise
        finally:
            self._book.add_try(known, start, learned)


class _Reader(Reader):
    """Writes down the calls that read, with what the caller gets to see, be it from the cache."""

    def __init__(self, transport: Transport, cache: Cache, book: _Book) -> None:
        super().__init__(transport, cache)
        self._book = book

    def read(self, path: str, *, expects: str) -> Document:
        return self._written_down(path, partial(super().read, path, expects=expects), lambda row: row)

    def page(self, path: str, *, expects: str, name: str) -> Page:
        read = partial(super().page, path, expects=expects, name=name)
        return self._written_down(path, read, lambda page: {expects: page.rows})

    def _written_down(self, path: str, read: Callable[[], T], document: Callable[[T], Document]) -> T:
        self._book.begin()
        known, start = exchange.request("GET", path, None), monotonic()
        try:
            seen = read()
        except SessionRepositoryError as error:
            self._book.add_call(known, start, {}, error)
            raise
        self._book.add_call(known, start, exchange.answer(known["operation"], known["key"], 200, document(seen)))
        return seen
