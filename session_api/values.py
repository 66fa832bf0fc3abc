"""How settings are written that are more than a word or a number."""

from __future__ import annotations

import re

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
