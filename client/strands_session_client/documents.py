"""JSON as it is stored: compact UTF-8 out, and the bytes in it in the SDK's own form."""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from strands.types.session import decode_bytes_values, encode_bytes_values

from strands_session_client.errors import SessionRepositoryError, ValidationError


def encode(document: Mapping[str, Any]) -> bytes:
    """The document as JSON, with bytes in the SDK's form of them.

    Raises:
        ValidationError: If something in it has no place in JSON, with the path of it.
    """
    try:
        try:
            return _UTF8.encode(document).encode()
        except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form, but an escape
            return _ASCII.encode(document).encode()
    except (TypeError, ValueError, RecursionError) as failure:
        raise ValidationError(f"This can't be stored as JSON:{_culprit(document)} {failure}") from failure


def decode(document: Any) -> Any:
    """The document with its bytes restored from the SDK's form of them."""
    try:
        return decode_bytes_values(document)
    except (TypeError, ValueError) as failure:
        raise SessionRepositoryError(f"What is stored as bytes is not base64: {failure}") from failure


def restored(stored: dict[str, Any]) -> dict[str, Any]:
    """A row as the service sends it, with the bytes in its documents restored."""
    return {name: decode(value) if name in _DOCUMENTS else value for name, value in stored.items()}


def _default(value: object) -> Any:
    if isinstance(value, bytes):
        return encode_bytes_values(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)  # as the SDK's to_dict does with whatever lies inside a message
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def _culprit(document: Any) -> str:
    """Where the first value lies that can't be encoded, as ` message.content[0]:`; empty for the whole."""
    path, value = "", document
    for _ in range(_DEEPEST):
        broken = next(((place, part) for place, part in _parts(value, path) if not _fits(part)), None)
        if broken is None:
            return f" {path}:" if path else ""
        path, value = broken
    return ""  # it contains itself, which has no single place


def _parts(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"{path}.{name}" if path else str(name), part) for name, part in value.items()]
    if isinstance(value, list | tuple):
        return [(f"{path}[{position}]", part) for position, part in enumerate(value)]
    return []


def _fits(value: Any) -> bool:
    try:
        _ASCII.encode(value)
    except RecursionError:  # the fault is the depth, not what lies at the bottom
        return True
    except (TypeError, ValueError):
        return False
    return True


# Not `multi_agent_state`, which nothing here reads: what others keep there is theirs.
_DOCUMENTS = frozenset({"message", "redact_message", "state", "conversation_manager_state", "internal_state"})
_DEEPEST = 100  # the service accepts nothing deeper
# Bytes are encoded on demand: a walk through every message beforehand would cost more than the encoding.
_UTF8 = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_default)
_ASCII = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"), default=_default)
