"""UTF-8 as a text of one byte a character, since Python keeps a text with one emoji in it in four bytes a character.

Such a text has a Latin-1 character for every byte. JSON's grammar is ASCII, so it reads the same.
"""

from __future__ import annotations

import re
from codecs import utf_8_decode
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring

PIECE = 1 << 20
# Runs of escapes, in which the two halves of a character stay together; a \\ first, or it would hide the u behind it.
_HEX = rb"[0-9a-fA-F]"
_ESCAPES = re.compile(
    rb"\\\\|(?:\\u[dD][89abAB]H{2}\\u[dD][c-fC-F]H{2}|\\uH{4}){1,500}".replace(b"H", _HEX)  # bounded: each takes room
)
_SURROGATES = re.compile("([\ud800-\udfff]+)")
_CONTINUATIONS = bytes(range(0x80, 0xC0))
_SHORT = 4096


def first_flaw(body: bytes) -> int | None:
    """Where the body stops being UTF-8, found without holding all of it decoded."""
    view, at = memoryview(body), len(body) if body.isascii() else 0
    while at < len(body):
        try:
            at += utf_8_decode(view[at : at + PIECE], "strict", at + PIECE >= len(body))[1]
        except UnicodeDecodeError as error:
            return at + error.start
    return None


def text(body: bytes) -> str:
    """The body of valid UTF-8 as such a text; its escapes beyond ASCII become the characters that they stand for."""
    return (_without_escapes(body) if b"\\u" in body else body).decode("latin-1")


def octets(text: str) -> bytes:
    """The UTF-8 of such a text; half a character, for which UTF-8 has no bytes, becomes an escape."""
    return text.encode("latin-1", "backslashreplace")


def wide(text: str) -> str:
    """What such a text says. A long one stays as it is: it is no name and no id, and would take four times the room."""
    if text.isascii() or len(text) > _SHORT:
        return text
    parts = _SURROGATES.split(text)
    parts[::2] = [part.encode("latin-1").decode() for part in parts[::2]]
    return "".join(parts)


def length(text: str) -> int:
    """How many characters such a text stands for."""
    return len(text.encode("latin-1").translate(None, _CONTINUATIONS))


def _without_escapes(body: bytes) -> bytearray:
    out, done = bytearray(), 0
    for found in _ESCAPES.finditer(body):
        if (run := found.group()) != rb"\\":
            characters = scanstring(run.decode() + '"', 0)[0]
            out += body[done : found.start()]
            out += encode_basestring(characters)[1:-1].encode("utf-8", "backslashreplace")
            done = found.end()
    out += body[done:]
    return out
