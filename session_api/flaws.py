"""Says what is wrong with a body, and where, once the parser has found that something is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from math import isinf
from typing import Any

from . import narrow

MAX_DEPTH = 100
_PATH_SHOWN = 200

_SIGNIFICANT = re.compile(r"-?[0.]*[1-9]")  # a number that is not zero, although it may be too small to be told from it
_STRUCTURE = re.compile(r'["\[\]{},]')
# Bounded, since the expression keeps something for each escape; the next one goes on where it stopped.
_IN_STRING = re.compile(r'[^"\\]*(?:\\.[^"\\]*){0,500}', re.DOTALL)


class _Flaw(str):
    """Stands in a parsed body where something is wrong, and says what."""


def as_float(literal: str) -> float | None:
    """The number; None beyond the range of a double."""
    value = float(literal)
    return None if isinf(value) or (value == 0 and _SIGNIFICANT.match(literal)) else value


def of_syntax(error: json.JSONDecodeError, body: bytes) -> str:
    """What the parser missed where. Without the body, an escape beyond ASCII counts as the character it stands for."""
    if body:
        try:
            json.JSONDecoder().decode(body.decode("latin-1"))
        except json.JSONDecodeError as same:
            return of_syntax(same, b"")
    column = narrow.length(error.doc[error.pos - error.colno + 1 : error.pos]) + 1
    return f"Is not valid JSON: {error.msg} at line {error.lineno}, column {column}."


def of_depth(text: str) -> dict[str, list[str]]:
    return {_deepest(text): [f"Is nested deeper than {MAX_DEPTH} levels."]}


def of_values(text: str) -> dict[str, list[str]]:
    """Where the flaws are; the parser has raised for one of them already."""
    try:
        value = _MARKING.decode(text)
    except (ValueError, RecursionError):
        return {"body": ["Is not valid JSON."]}
    faults: dict[str, list[str]] = {}
    for path, flaw in _marked(value):
        faults.setdefault(path or "body", []).append(str(flaw))
        if len(faults) == 20:
            break
    return dict(sorted(faults.items())) or {"body": ["Is not valid JSON."]}


def depth(value: Any) -> int:
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


def _mark_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for key, item in pairs:
        value[key] = _Flaw("Is a duplicate key.") if key in value else item
    return value


def _mark_float(literal: str) -> float | _Flaw:
    value = as_float(literal)
    return _Flaw("Is beyond the range of a double.") if value is None else value


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


def _marked(value: Any) -> Iterator[tuple[str, _Flaw]]:
    """The flaws in a value with their paths. Child by child: of all at once there may be millions."""
    below: list[tuple[str, Iterator[tuple[str | int, Any]]]] = [("", iter([("", value)]))]
    while below:
        path, children = below[-1]
        for name, child in children:
            if isinstance(child, _Flaw):
                yield _join(path, str(name)), child
            elif isinstance(child, (dict, list)):
                inner = child.items() if isinstance(child, dict) else enumerate(child)
                below.append((_join(path, str(name)), iter(inner)))
                break
        else:
            below.pop()


def _deepest(text: str) -> str:
    """The path of the first place that is nested too deep, found without parsing what lies below it."""
    path: list[str | int] = []
    at = 0
    while found := _STRUCTURE.search(text, at):
        symbol, at = found.group(), found.end()
        if symbol == '"':
            start, at = at, _end_of_string(text, at)
            if path and isinstance(path[-1], str):
                path[-1] = text[start : at - 1]
        elif symbol in ("[", "{"):
            path.append(0 if symbol == "[" else "")
            if len(path) > MAX_DEPTH + 1:
                break
        elif symbol in ("]", "}"):
            path.pop()
        elif path and isinstance(path[-1], int):
            path[-1] += 1
    return _shorten(".".join(narrow.wide(str(name)) for name in path[:-1])) or "body"


def _end_of_string(text: str, at: int) -> int:
    while (found := _IN_STRING.match(text, at)) and found.end() > at and not text.startswith('"', found.end()):
        at = found.end()
    return (found.end() if found else at) + 1


def _join(path: str, name: str) -> str:
    name = narrow.wide(name)
    return _shorten(f"{path}.{name}" if path else name)


def _shorten(path: str) -> str:
    return path if len(path) <= _PATH_SHOWN else path[:_PATH_SHOWN] + "…"
