"""Reads request bodies without losing anything, and writes documents down as they were.

The standard parser keeps numbers exact (orjson turns NaN into null and big integers into floats), but accepts what
JSON has no place for; here that is refused, and the answer names the place.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from . import flaws, narrow, weight
from .errors import Invalid

LARGEST = 16 * 1024 * 1024
_TOO_MANY = "Holds too many values for one request: numbers, strings, lists or objects."


class Document(bytes):
    """A document as compact JSON text in UTF-8; the store sends it to PostgreSQL as text."""


EMPTY = Document(b"{}")


class _Flawed(ValueError):
    """Valid to the parser, but not to us; a second, slower reading finds where."""


def loads(body: bytes, largest: int = LARGEST) -> Any:
    """Parse a UTF-8 body. `largest` is how many bytes one may have; it bounds how many values one may hold.

    Names and texts of the first level are as people read them; the texts below are for `dumps` (narrow.py). Raises
    Invalid with sentences by path for anything that is not JSON or can't be kept.
    """
    if (flaw := narrow.first_flaw(body)) is not None:
        raise Invalid({"body": [f"Is not valid UTF-8 at byte {flaw}."]})
    text = narrow.text(body)
    if len(body) > narrow.PIECE:
        body = b""  # not kept twice
    if weight.is_too_much(text, largest):
        raise Invalid({"body": [_TOO_MANY]})
    try:
        value = _STRICT.decode(text)
    except _Flawed:
        raise Invalid(flaws.of_values(text)) from None
    except json.JSONDecodeError as error:
        raise Invalid({"body": [flaws.of_syntax(error, body)]}) from None
    except RecursionError:
        raise Invalid(flaws.of_depth(text)) from None
    except ValueError:
        raise Invalid(flaws.of_values(text)) from None
    # A body holds its documents one level down.
    if text.count("{") + text.count("[") > flaws.MAX_DEPTH + 1 and flaws.depth(value) > flaws.MAX_DEPTH + 1:
        raise Invalid(flaws.of_depth(text))
    if isinstance(value, dict) and not text.isascii():
        return {narrow.wide(name): narrow.wide(item) if isinstance(item, str) else item for name, item in value.items()}
    return value


def dumps(document: Any) -> Document:
    """What `loads` has read as compact JSON; keys keep their order, numbers their type."""
    return Document(narrow.octets(_COMPACT.encode(document)))


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Flawed
    return value


def _float(literal: str) -> float:
    value = flaws.as_float(literal)
    if value is None:
        raise _Flawed
    return value


def _constant(literal: str) -> NoReturn:
    raise _Flawed


_STRICT = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_float, parse_constant=_constant)
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
