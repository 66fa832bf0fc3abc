"""Estimates what a body takes in memory once it is parsed, before it is.

Sixteen MiB of text are sixteen MiB of memory, but sixteen MiB of `[],[],[]` are four hundred.
"""

from __future__ import annotations

# Bytes in CPython: a number and its place in a container; half of a string beside its text; a list that holds one
# thing; an object that holds one, which has room for some more; each pair beyond those, whose key nobody else has.
_VALUE, _QUOTE, _LIST, _OBJECT, _PAIR = 40, 24, 96, 200, 110
_PAIRS_INCLUDED = 3
# A parsed body may weigh so many times what the largest body may have in bytes.
_TIMES = 6.5
# No body of a sixteenth of the largest can weigh too much: the worst of all, [[[…]]], weighs 48 times its bytes.
_SMALL = 16
_PIECE = 1 << 18


def is_too_much(text: str, largest: int) -> bool:
    """Whether its values would take too much; `largest` is how many bytes a body may have."""
    if len(text) * _SMALL <= largest:
        return False
    most = int(largest * _TIMES)
    if _weight(text, text.count('"')) + len(text) <= most:
        return False
    between, quotes = _without_strings(text)
    return _weight(between, quotes) + len(text) - len(between) > most


def _weight(structure: str, quotes: int) -> int:
    objects = structure.count("{")
    pairs = max(0, structure.count(":") - _PAIRS_INCLUDED * objects)
    values = structure.count(",") * _VALUE + quotes * _QUOTE
    return values + structure.count("[") * _LIST + objects * _OBJECT + pairs * _PAIR


def _without_strings(text: str) -> tuple[str, int]:
    """What stands between the strings, and how many quotes there are; in pieces, as a list of all strings is large."""
    text = text.replace("\\\\", "").replace('\\"', "")
    between: list[str] = []
    quotes = 0
    for start in range(0, len(text), _PIECE):
        parts = text[start : start + _PIECE].split('"')
        between.append("".join(parts[quotes % 2 :: 2]))
        quotes += len(parts) - 1
    return "".join(between), quotes
