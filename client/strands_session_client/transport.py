"""The one door to the service: connections, tries and errors of every call."""

import logging
import os
import time
import uuid
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from strands_session_client import answers, retry
from strands_session_client.documents import encode
from strands_session_client.errors import DatabaseConnectionError, SessionRepositoryError, ValidationError
from strands_session_client.settings import Key, is_loopback
from strands_session_client.version import __version__

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
# Above the 15 s that the service gives a request: a write that timed out here can't land there afterwards.
READ_SECONDS = 20.0
_LARGE_BODY = 256 * 1024
_READ_SIZE = 4096  # small, so that a trickling answer can't outlive its time by much
_CONNECTIONS = 128


class Transport:
    """Sends requests and returns what the service answered, for any number of threads and across forks."""

    def __init__(self, base_url: str, api_key: Key | None, timeout: float) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self._template = _template(base_url, api_key)
        self._root = (self._template.url or base_url).rstrip("/")
        with requests.Session() as http:
            environment = http.merge_environment_settings(base_url, {}, True, True, None)
        # A proxy's localhost is not ours, and has no business with the key.
        self._proxies = {} if is_loopback(base_url) else environment["proxies"]
        self._verify = environment["verify"] or True
        # By process: a child of a fork must neither use nor close its parent's connections.
        self._adapters: dict[int, HTTPAdapter] = {}

    def call(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        *,
        expects: str = "",
        resource: str = "",
        tries: int = retry.TRIES,
    ) -> dict[str, Any]:
        """The body of the answer, or what was sent where an earlier try turns out to have done the work.

        `expects` is a field that the answer must have, `resource` what a DELETE deletes.

        Raises:
            SessionRepositoryError: Of the kind that errors.py lists for what happened.
        """
        request = self._request(method, path, document)
        deadline = time.monotonic() + self.timeout
        for tried in range(1, tries + 1):
            retry_after = None
            try:
                answer = self._send(request, deadline)
            except (OSError, ValueError) as failure:  # requests' errors are OSErrors
                error = self._no_answer(request, failure, tried)
                if not retry.is_passing(failure):
                    break
            else:
                if tried > 1 and answer.grants(method, resource):
                    return dict(document or {})
                if answer.status not in retry.STATUSES:
                    return answer.content(method, expects)
                error, retry_after = answer.error(), answer.headers.get("Retry-After")
            pause = retry.pause(tried, retry_after)
            if tried == tries or time.monotonic() + pause >= deadline:
                break
            logger.debug("request_id=<%s>, tried=<%d>, pause=<%.2f> | trying again", error.request_id, tried, pause)
            time.sleep(pause)
        raise error

    def close(self) -> None:
        """Close this process's connections; a later call opens new ones."""
        adapter = self._adapters.pop(os.getpid(), None)
        if adapter is not None:
            adapter.close()

    def _request(self, method: str, path: str, document: Mapping[str, Any] | None) -> requests.PreparedRequest:
        # Copied from a template and handed to the adapter itself: requests.Session would double the cost of a
        # call, keep cookies, follow redirects and let a .netrc replace the key.
        request = self._template.copy()
        request.method = method
        request.url = f"{self._root}{path}"
        request.headers["X-Request-ID"] = uuid.uuid4().hex
        if document is not None:
            request.body = encode(document)
            request.headers["Content-Type"] = "application/json"
            request.headers["Content-Length"] = str(len(request.body))
        return request

    def _send(self, request: requests.PreparedRequest, deadline: float) -> answers.Answer:
        """One try. Raises requests' errors if no whole answer comes in time."""
        left = max(deadline - time.monotonic(), 0.001)
        # urllib3 applies the connect timeout to the sending of the whole body as well.
        is_large = len(request.body or b"") > _LARGE_BODY
        connect = min(READ_SECONDS, left / 2) if is_large else min(CONNECT_SECONDS, left / 4)
        timeout = (connect, min(READ_SECONDS, left - connect))
        chunks = []
        adapter = self._adapter()
        with adapter.send(request, True, timeout, verify=self._verify, proxies=self._proxies) as response:
            for chunk in response.iter_content(_READ_SIZE):
                chunks.append(chunk)
                if time.monotonic() > deadline:
                    raise requests.exceptions.ReadTimeout("The answer took too long.")
        sent_id = request.headers["X-Request-ID"]
        answer = answers.read(response.status_code, response.headers, b"".join(chunks), sent_id)
        if answer.is_cut_short:
            raise requests.exceptions.ChunkedEncodingError("The answer was cut short.")
        return answer

    def _adapter(self) -> HTTPAdapter:
        process = os.getpid()
        adapter = self._adapters.get(process)
        if adapter is None:
            # setdefault, and no lock: a lock could be held by another thread at the moment of a fork.
            adapter = self._adapters.setdefault(process, HTTPAdapter(pool_maxsize=_CONNECTIONS))
        return adapter

    def _no_answer(self, request: requests.PreparedRequest, failure: Exception, tried: int) -> SessionRepositoryError:
        cause = retry.cause(failure)
        message = f"No answer from {self.base_url} at try {tried}: {type(cause).__name__}: {cause}"
        error = DatabaseConnectionError(message, request_id=request.headers["X-Request-ID"])
        # Without the way that it came: http.client's frames hold the key in the bytes that they send.
        error.__cause__ = cause.with_traceback(None)
        return error


def _template(base_url: str, api_key: Key | None) -> requests.PreparedRequest:
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",
        "User-Agent": f"strands-session-client/{__version__}",
    }
    if api_key is not None:
        headers["Authorization"] = Key(f"Bearer {api_key}")
    try:
        return requests.Request("GET", base_url, headers=headers).prepare()
    except requests.RequestException as failure:
        raise ValidationError(f"The base URL can't be used: {failure}") from failure
