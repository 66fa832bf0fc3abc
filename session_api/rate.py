"""How often a caller may ask: RATE_LIMIT, counted in a storage that all workers share."""

from __future__ import annotations

import logging
from hashlib import blake2b
from time import time
from typing import Any

from flask import Flask, Response, request

from . import call, problems
from .config import Settings
from .errors import RateLimited

# A storage that does not answer delays a request for so long, and few of them: requests are then counted in the
# process, and the storage is asked again after 1, 2, 4, 8, 16, 32 s.
STORAGE_SECONDS = 0.25
_FREE = ("/health", "/metrics")


def init_app(app: Flask, settings: Settings) -> None:
    """To be called after the key is known. Without a limit, nothing is added to any request."""
    if settings.rate_limit is None:
        return
    # Here, so that a service without a limit does not load them.
    from flask_limiter import Limiter, RateLimitExceeded

    limiter = Limiter(
        _caller,
        app=app,
        application_limits=[settings.rate_limit],
        storage_uri=settings.rate_limit_storage_url,
        storage_options=_options(settings.rate_limit_storage_url or ""),
        # Without its storage, each worker counts for itself: whoever keeps to the limits notices nothing.
        in_memory_fallback_enabled=True,
        request_identifier=lambda: "any",  # unknown routes count as well
        key_prefix="session-api",
    )
    limiter.request_filter(lambda: request.path.startswith(_FREE))
    logging.getLogger("flask-limiter").setLevel(logging.WARNING)  # it writes a line for each refusal

    def refuse(exceeded: RateLimitExceeded) -> Response:
        try:
            window = limiter.current_limit
            seconds = window.reset_at - time() if window else 1
        except Exception:  # of whatever storage it is, which went away since it has counted
            seconds = exceeded.limit.limit.get_expiry()
        return problems.of_failure(RateLimited(max(1, round(seconds))))

    app.register_error_handler(RateLimitExceeded, refuse)


def _caller() -> str:
    """Hashed: a storage may have rules for its keys, and need not know who calls."""
    key = call.current().api_key
    caller = f"key {key.key_id}" if key else f"address {request.remote_addr}"
    return blake2b(caller.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _options(url: str) -> dict[str, Any]:
    scheme = url.partition(":")[0]
    if scheme == "memcached":
        return {"connect_timeout": STORAGE_SECONDS, "timeout": STORAGE_SECONDS}
    if scheme == "memory":
        return {}
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {
        "socket_connect_timeout": STORAGE_SECONDS,
        "socket_timeout": STORAGE_SECONDS,
        "retry": Retry(NoBackoff(), 0),  # as it comes, it tries three times, seconds apart
    }
