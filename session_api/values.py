"""How settings are written that are more than a word or a number."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from marshmallow import ValidationError

# As browsers send it: in lower case, without a path, and without the port that the scheme has anyway.
_ORIGIN = re.compile(
    r"(?!http:.*:80$)(?!https:.*:443$)[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[1-9][0-9]{0,4})?"
)


def origins(text: str) -> tuple[str, ...]:
    """The origins of a list. Raises ValidationError for what no browser would ever send."""
    found = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    if "*" in found and len(found) > 1:
        raise ValidationError("Must be either * or a list of origins.")
    if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in found):
        raise ValidationError("Must be * or origins such as https://app.example.com, separated by commas.")
    return found


def check_rate_limit(text: str) -> None:
    """Raises ValidationError unless these are limits in the notation of the library `limits`."""
    if not text:
        return
    from limits import parse_many  # here, so that a service without a limit does not load it

    try:
        limits = parse_many(text)
    except ValueError:
        limits = []
    if not limits or not all(limit.amount for limit in limits):
        raise ValidationError("Must be limits such as 100/second;2000/minute.")


def check_storage_url(text: str) -> None:
    """Raises ValidationError unless it is the URL of a storage that counts requests."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"redis", "rediss", "memcached"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if text and not usable and text != "memory://":
        raise ValidationError("Must be redis://HOST:PORT, rediss://HOST:PORT, memcached://HOST:PORT or memory://.")
