"""Reads request bodies without losing anything, and writes documents down as they were.

The standard parser keeps numbers exact (orjson turns NaN into null and big integers into floats), but accepts what
JSON has no place for; here that is refused, and the answer names the place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import isinf
from typing import Any, NoReturn

from .errors import Invalid

MAX_DEPTH = 100
_PATH_SHOWN = 200

_SIGNIFICANT = re.compile(r"-?[0.]*[1-9]")  # a number that is not zero, although it may be too small to be told from it
_TOO_DEEP = f"Is nested deeper than {MAX_DEPTH} levels."
_STRUCTURE = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]')


class _Flawed(ValueError):
    """Valid to the parser, but not to us; a second, slower reading finds where."""


class _Flaw(str):
    """Stands in a parsed body where something is wrong, and says what."""


def loads(body: bytes) -> Any:
    """Parse a UTF-8 body. Raises Invalid with sentences by path for anything that is not JSON or can't be kept."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Invalid({"body": [f"Is not valid UTF-8 at byte {error.start}."]}) from None
    try:
        value = _STRICT.decode(text)
    except _Flawed:
        raise Invalid(_flaws(text)) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Invalid({"body": [f"Is not valid JSON: {error.msg} at {where}."]}) from None
    except RecursionError:
        raise Invalid({_deepest(text): [_TOO_DEEP]}) from None
    except ValueError:
        raise Invalid(_flaws(text)) from None
    # A body holds its documents one level down.
    if text.count("{") + text.count("[") > MAX_DEPTH + 1 and _depth(value) > MAX_DEPTH + 1:
        raise Invalid({_deepest(text): [_TOO_DEEP]})
    return value


def dumps(document: Any) -> str:
    """The document as compact JSON text that UTF-8 can carry; keys keep their order, numbers their type."""
    text = _COMPACT.encode(document)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # a lone surrogate, which JSON can hold as an escape only
            return _ASCII.encode(document)
    return text


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Flawed
    return value


def _float(literal: str) -> float:
    value = float(literal)
    if isinf(value) or (value == 0 and _SIGNIFICANT.match(literal)):
        raise _Flawed
    return value


def _constant(literal: str) -> NoReturn:
    raise _Flawed


_STRICT = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_float, parse_constant=_constant)
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":"))
_ASCII = json.JSONEncoder(ensure_ascii=True, allow_nan=False, check_circular=False, separators=(",", ":"))


def _mark_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        value[key] = _Flaw("Is a duplicate key.") if key in value else item
    return value


def _mark_float(literal: str) -> float | _Flaw:
    try:
        return _float(literal)
    except _Flawed:
        return _Flaw("Is beyond the range of a double.")


def _mark_int(literal: str) -> int | _Flaw:
    try:
        return int(literal)
    except ValueError:  # the interpreter's own limit on the digits of an integer
        return _Flaw("Has too many digits.")


_MARKING = json.JSONDecoder(
    object_pairs_hook=_mark_pairs,
    parse_float=_mark_float,
    parse_int=_mark_int,
    parse_constant=lambda literal: _Flaw(f"{literal} is not JSON."),
)


def _flaws(text: str) -> dict[str, list[str]]:
    """Where the flaws are; the parser has raised for one of them already."""
    try:
        value = _MARKING.decode(text)
    except (ValueError, RecursionError):
        return {"body": ["Is not valid JSON."]}
    faults: dict[str, list[str]] = {}
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting and len(faults) < 20:
        path, item = waiting.pop()
        if isinstance(item, _Flaw):
            faults.setdefault(path or "body", []).append(str(item))
        else:
            waiting.extend((_join(path, name), child) for name, child in _children(item))
    return dict(sorted(faults.items())) or {"body": ["Is not valid JSON."]}


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((str(index), child) for index, child in enumerate(value))


def _depth(value: Any) -> int:
    """How deep containers are nested, level by level, since recursion has a limit of its own."""
    depth, level = 0, [value] if isinstance(value, (dict, list)) else []
    while level:
        depth += 1
        level = [
            child
            for item in level
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, (dict, list))
        ]
    return depth


def _deepest(text: str) -> str:
    """The path of the first place that is nested too deep, found without parsing what lies below it."""
    path: list[str | int] = []
    for token in _STRUCTURE.finditer(text):
        symbol = token.group()
        if symbol in ("[", "{"):
            path.append(0 if symbol == "[" else "")
            if len(path) > MAX_DEPTH + 1:
                break
        elif symbol in ("]", "}"):
            path.pop()
        elif path and isinstance(path[-1], int):
            path[-1] += symbol == ","
        elif path and symbol != ",":
            path[-1] = symbol[1:-1]
    return _shorten(".".join(str(name) for name in path[:-1])) or "body"


def _join(path: str, name: str) -> str:
    return _shorten(f"{path}.{name}" if path else name)


def _shorten(path: str) -> str:
    return path if len(path) <= _PATH_SHOWN else path[:_PATH_SHOWN] + "…"
