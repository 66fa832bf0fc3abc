"""What a key looks like: random text with a checksum, and the keyed hash that is stored in its place.

`sk_`, 43 characters that carry 256 random bits, 6 that are a checksum: `sk_[0-9A-Za-z]{49}`. Scanners can recognise it,
and what was mistyped or cut short is told from a key without asking the database.
"""

from __future__ import annotations

import hmac
import re
import secrets
from zlib import crc32

PREFIX = "sk_"
PATTERN = r"sk_[0-9A-Za-z]{49}"
_KEY = re.compile(PATTERN)
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new() -> str:
    """A key that nobody has."""
    body = PREFIX + _base62(secrets.randbits(256), 43)
    return body + _checksum(body)


def new_id() -> str:
    """The public name of a key; it may be shown and logged."""
    return "key_" + "".join(secrets.choice(_DIGITS) for _ in range(8))


def is_well_formed(text: str) -> bool:
    return _KEY.fullmatch(text) is not None and _checksum(text[:-6]) == text[-6:]


def digest(text: str, secret: str) -> bytes:
    """What is stored: without the secret, a copy of the table does not even tell whether a guess is right."""
    return hmac.digest(secret.encode("utf-8", "surrogateescape"), text.encode(), "sha256")


def _checksum(body: str) -> str:
    return _base62(crc32(body.encode()), 6)


def _base62(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits
