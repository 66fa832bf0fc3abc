"""A client of one's own making: it sends each request once, and leaves a line in the history for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from time import monotonic
from typing import Any

import requests

from strands_session_client.transport import CONNECT_SECONDS, READ_SECONDS

from . import exchange
from .history import Attempt, Recorder
from .recorded import Target


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
