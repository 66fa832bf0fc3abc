"""Which failures are worth another try, and how long to wait for it."""

import random
import re
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from requests import exceptions

TRIES = 6
STATUSES = frozenset({429, 502, 503, 504})
# By threes, so that the pauses between six tries reach 5 s: together they outlast a restart of the service.
_FIRST_PAUSE, _GROWTH, _LONGEST_PAUSE = 0.1, 3, 5.0
_LONGEST_RETRY_AFTER = 30.0

_NO_WHOLE_ANSWER = (
    exceptions.ConnectionError,
    exceptions.Timeout,
    exceptions.ChunkedEncodingError,
    exceptions.ContentDecodingError,
)


def is_passing(failure: Exception) -> bool:
    """Whether the request may get an answer if it is sent again."""
    return isinstance(failure, _NO_WHOLE_ANSWER) and not isinstance(cause(failure), ssl.SSLCertVerificationError)


def pause(tried: int, retry_after: str | None = None) -> float:
    """Seconds to wait after `tried` tries: full jitter, on top of what the server asked for."""
    longest = min(_FIRST_PAUSE * _GROWTH ** (tried - 1), _LONGEST_PAUSE)
    return _seconds(retry_after or "0") + random.uniform(0, longest)  # noqa: S311 - no secret hangs on it


def cause(failure: BaseException) -> BaseException:
    """The failure at the bottom, such as ConnectionRefusedError, without the layers that wrap it."""
    below = next(_below(failure), None)
    return failure if below is None else cause(below)


def _below(failure: BaseException) -> Iterator[BaseException]:
    for candidate in (failure.__cause__, getattr(failure, "reason", None), *failure.args):
        if isinstance(candidate, BaseException):
            yield candidate


def _seconds(retry_after: str) -> float:
    if re.fullmatch(r"[0-9]{1,9}", retry_after):
        return min(float(retry_after), _LONGEST_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    if when.tzinfo is None:  # a date in -0000 is parsed without a zone
        when = when.replace(tzinfo=timezone.utc)
    return min(max((when - datetime.now(timezone.utc)).total_seconds(), 0.0), _LONGEST_RETRY_AFTER)
