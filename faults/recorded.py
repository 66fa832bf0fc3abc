"""The two kinds of clients, each leaving a line in the history for everything that it does."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from itertools import count
from time import monotonic
from typing import Any, NamedTuple

import requests

from strands_session_client import PostgreSQLSessionRepository
from strands_session_client.answers import Answer
from strands_session_client.cache import Cache
from strands_session_client.errors import ConflictError, SessionRepositoryError
from strands_session_client.resources import Resources
from strands_session_client.settings import hidden
from strands_session_client.transport import CONNECT_SECONDS, READ_SECONDS, Transport

from . import exchange
from .history import FAILED, OK, UNKNOWN, Attempt, Recorder


class Target(NamedTuple):
    """Where the two kinds of clients find the service, and the key that it asks for, if any."""

    agents_url: str
    raw_url: str
    key: str | None = None


def repository(target: Target, seed: int, process: int, recorder: Recorder) -> PostgreSQLSessionRepository:
    """The client's library as it is, with a door that writes down who passes."""
    recorded = PostgreSQLSessionRepository(target.agents_url, api_key=target.key)
    transport = _RecordedTransport(target, seed, process, recorder)
    recorded._stored = Resources(transport, Cache(target.agents_url, None, 0))  # the history needs every answer whole
    return recorded


class _RecordedTransport(Transport):
    def __init__(self, target: Target, seed: int, process: int, recorder: Recorder) -> None:
        super().__init__(target.agents_url, hidden(target.key), 30.0)
        self._whose = {"seed": seed, "process": process, "client": "agent"}
        self._recorder = recorder
        self._calls = count()
        self._mine = threading.local()

    def call(self, method: str, path: str, document: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        self._mine.call, self._mine.outcomes = next(self._calls), set()
        known = exchange.request(method, path, document)
        start, outcome, status = monotonic(), OK, None
        try:
            return super().call(method, path, document, **options)
        except SessionRepositoryError as error:
            status = error.status
            outcome = UNKNOWN if UNKNOWN in self._mine.outcomes else FAILED
            if isinstance(error, ConflictError) and (error.details or {}).get("identical") is True:
                outcome = OK
            raise
        finally:
            self._record(known, start, True, {"outcome": outcome, "status": status})

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
            self._mine.outcomes.add(learned["outcome"])
            self._record(known, start, False, learned)

    def _record(self, known: dict[str, Any], start: float, is_call: bool, learned: dict[str, Any]) -> None:
        fields = {**self._whose, **known, **learned, "call": self._mine.call, "is_call": is_call}
        self._recorder.record(Attempt(**fields, start=start, end=monotonic()))


class RawClient:
    """Sends each request once, over a connection that is kept. Not to be shared between threads."""

    def __init__(self, target: Target, seed: int, process: int, recorder: Recorder) -> None:
        self._root = f"{target.raw_url}/api/v1/"
        self._whose = {"seed": seed, "process": process, "client": "raw", "call": None, "is_call": False}
        self._recorder = recorder
        self._http = requests.Session()
        self._http.trust_env = False
        self._http.headers.update({"Authorization": f"Bearer {target.key}"} if target.key else {})
        self._numbers = count()

    def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, etag: str = "", base: str | None = None
    ) -> requests.Response | None:
        """The answer, or None without one. `base` is the fingerprint of what the etag names."""
        url = f"{self._root}{path}"
        known = exchange.request(method, url, body)
        request_id = f"{self._whose['seed']}-{self._whose['process']}-{id(self):x}-{next(self._numbers)}"
        headers = {"X-Request-ID": request_id, **({"If-Match": etag} if etag else {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
        start = monotonic()
        response = None
        try:
            response = self._http.request(
                method,
                url,
                data=None if body is None else json.dumps(body),
                headers=headers,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
            )
            content = exchange.parsed(response.content)
            learned = exchange.answer(known["operation"], known["key"], response.status_code, content)
        except requests.RequestException as failure:
            learned = {"outcome": exchange.outcome_without_answer(failure)}
        fields = {**self._whose, **known, **learned, "base": base, "request_id": request_id}
        self._recorder.record(Attempt(**fields, start=start, end=monotonic()))
        return response
