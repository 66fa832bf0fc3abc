"""The one door to the service: tries, time and errors of every call."""

import logging
import time
import uuid
from collections.abc import Mapping
from typing import Any

import requests

from strands_session_client import answers, connections, retry
from strands_session_client.documents import encode
from strands_session_client.errors import DatabaseConnectionError, SessionRepositoryError, ValidationError
from strands_session_client.settings import Key
from strands_session_client.version import __version__

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 3.0
# Above the 15 s that the service gives a request: a write that timed out here can't land there afterwards.
READ_SECONDS = 20.0
_LARGE_BODY = 256 * 1024
# Small, so that a trickling answer can't outlive its time by much; large enough for its cost not to count.
_READ_SIZE = 16 * 1024


class Transport:
    """Sends requests and returns what the service answered, for any number of threads and across forks."""

    def __init__(self, base_url: str, api_key: Key | None, timeout: float) -> None:
        self.base_url = base_url
        self.timeout = timeout
        self._template = _template(base_url, api_key)
        self._root = (self._template.url or base_url).rstrip("/")
        self._connections = connections.shared(base_url)
        self._connections.use(self)

    def call(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        *,
        expects: str = "",
        resource: str = "",
        known_tag: str | None = None,
        takes_rest: bool = False,
        tries: int = retry.TRIES,
    ) -> answers.Answer:
        """The answer, a success; its body is what was sent where an earlier try turns out to have done the work.

        `expects` is a field that the answer must have, `resource` what a DELETE deletes, `known_tag` the ETag of what
        need not be sent again: the answer then says that it is unchanged or, if the caller `takes_rest` of a list, has
        only what is new.

        Raises:
            SessionRepositoryError: Of the kind that errors.py lists for what happened.
        """
        request = self._request(method, path, document, known_tag, takes_rest=takes_rest)
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
                    return answer._replace(body=dict(document or {}))
                if answer.status not in retry.STATUSES:
                    return answer.checked(method, expects, known_tag, takes_rest=takes_rest)
                error, retry_after = answer.error(), answer.headers.get("Retry-After")
            pause = retry.pause(tried, retry_after)
            if tried == tries or time.monotonic() + pause >= deadline:
                break
            logger.debug("request_id=<%s>, tried=<%d>, pause=<%.2f> | trying again", error.request_id, tried, pause)
            time.sleep(pause)
        raise error

    def close(self) -> None:
        """Close this process's connections if no other transport uses them; a later call opens new ones."""
        self._connections.leave(self)

    def _request(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None,
        known_tag: str | None,
        *,
        takes_rest: bool,
    ) -> requests.PreparedRequest:
        # A copy, since preparing a request anew would parse and check what never changes.
        request = self._template.copy()
        request.method = method
        request.url = f"{self._root}{path}"
        request.headers["X-Request-ID"] = uuid.uuid4().hex
        if known_tag is not None:
            request.headers["If-None-Match"] = known_tag
            if takes_rest:
                request.headers["A-IM"] = "feed"  # RFC 3229
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
        chunks = []
        with self._connections.send(request, (connect, min(READ_SECONDS, left - connect))) as response:
            for chunk in response.iter_content(_READ_SIZE):
                chunks.append(chunk)
                if time.monotonic() > deadline:
                    raise requests.exceptions.ReadTimeout("The answer took too long.")
        sent_id = request.headers["X-Request-ID"]
        answer = answers.read(response.status_code, response.headers, b"".join(chunks), sent_id)
        if answer.is_cut_short:
            raise requests.exceptions.ChunkedEncodingError("The answer was cut short.")
        return answer

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
