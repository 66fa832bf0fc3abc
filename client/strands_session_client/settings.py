"""Where the service is, and the key for it."""

import ipaddress
import os
from urllib.parse import urlsplit

from strands_session_client.errors import ValidationError

DEFAULT_URL = "http://localhost:8001"


def service_url(base_url: str | None) -> str:
    """The service's URL without a path to its API: the argument, SESSION_BACKEND_URL or the default.

    Raises:
        ValidationError: If it is not the http or https URL of a host, without user, password or query.
    """
    given = (base_url or os.environ.get("SESSION_BACKEND_URL") or DEFAULT_URL).strip()
    try:
        parts = urlsplit(given)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not given.isprintable() or any(character in given for character in " \\?#"):
        raise ValidationError("The base URL must look like http://host:8001 or https://host.")
    if "@" in parts.netloc:
        raise ValidationError("The base URL must not hold a user or password; the key goes into api_key.")
    return given.rstrip("/").removesuffix("/api/v1").rstrip("/")


class Key(str):
    """A key, or the header with it, that does not show in tracebacks with variables, nor in what it is part of."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'…'"


def hidden(api_key: object) -> Key | None:
    """The key as it was given, unprintable from here on; never raises, since the caller's variable would be seen."""
    if api_key is None:
        return None
    return Key(api_key if isinstance(api_key, str) else "\0")  # what is no text becomes a key that is refused


def service_key(api_key: str | None, url: str, *, allow_insecure: bool) -> Key | None:
    """The key: the argument or SESSION_BACKEND_API_KEY; None if neither is set.

    Raises:
        ValidationError: If it can't be sent in a header, or would travel in clear text to another host and
            neither `allow_insecure` nor SESSION_BACKEND_ALLOW_INSECURE_KEY=true says that this is meant.
    """
    key = Key((api_key or os.environ.get("SESSION_BACKEND_API_KEY") or "").strip(" \t\r\n"))
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValidationError("The API key must be the bare key: ASCII text without spaces or control characters.")
    allow_insecure = allow_insecure or _is_set("SESSION_BACKEND_ALLOW_INSECURE_KEY")
    if urlsplit(url).scheme == "http" and not is_loopback(url) and not allow_insecure:
        raise ValidationError(
            "The API key would be sent in clear text: use https, or allow_insecure_key=True"
            " (SESSION_BACKEND_ALLOW_INSECURE_KEY=true) inside a network that you trust."
        )
    return key


def checked_timeout(timeout: float) -> float:
    """The seconds one call may take in all; ValidationError unless above 0."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise ValidationError("timeout must be a number of seconds above 0.")
    return timeout


def checked_cache_bytes(cache_bytes: int) -> int:
    """The bytes that may be kept; ValidationError unless they are a count."""
    if isinstance(cache_bytes, bool) or not isinstance(cache_bytes, int) or cache_bytes < 0:
        raise ValidationError("cache_bytes must be a number of bytes, 0 to keep nothing.")
    return cache_bytes


def _is_set(name: str) -> bool:
    return os.environ.get(name, "").strip().lower() in {"1", "true"}


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
