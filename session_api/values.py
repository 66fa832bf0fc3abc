"""How settings are written that are more than a word or a number."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from marshmallow import ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

# SQLAlchemy 2.1 reads a bare postgresql:// as psycopg 3, so every accepted form is rewritten to the one driver.
_ACCEPTED = re.compile(r"^(postgresql|postgres|postgresql\+psycopg2|postgresql\+asyncpg)://")
_DRIVER = "postgresql+psycopg2://"
SECRET_LENGTH = 32
# As browsers send it: in lower case, without a path, and without the port that the scheme has anyway.
_ORIGIN = re.compile(
    r"(?!http:.*:80$)(?!https:.*:443$)[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[1-9][0-9]{0,4})?"
)


def normalise_database_url(url: str) -> str:
    """The same URL for SQLAlchemy's psycopg2 dialect."""
    return _ACCEPTED.sub(_DRIVER, url.strip())


def check_database_url(value: str) -> None:
    """Raises ValidationError unless it is the URL of a PostgreSQL database."""
    if not _ACCEPTED.match(value.strip()):
        raise ValidationError(
            "Must start with postgresql://, postgres://, postgresql+psycopg2:// or postgresql+asyncpg://."
        )
    try:
        url = make_url(normalise_database_url(value))
        valid = url.port is None or 1 <= url.port <= 65535
    except (ArgumentError, ValueError):
        valid = False
    if not valid:
        raise ValidationError("Is not a valid URL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE.")
    if not url.database:
        raise ValidationError("Must name a database: postgresql://USER:PASSWORD@HOST:PORT/DATABASE.")


def check_secrets(value: str) -> None:
    """Raises ValidationError when one of the secrets could be guessed."""
    if value and not all(len(secret) >= SECRET_LENGTH for secret in secrets(value)):
        raise ValidationError(f"Must be {SECRET_LENGTH} characters or more; of several, separated by commas, each.")


def secrets(value: str) -> list[str]:
    return [secret.strip() for secret in value.split(",")]


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
