"""The kinds of values that requests hold: what each may be, and what it says of one that it refuses."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

from marshmallow import ValidationError, fields

from . import strict_json

ID_MAX_LENGTH = 255
INT64_MAX = 2**63 - 1

ID_PATTERN = r"^(?!\.{1,2}$)(?!\s)[^/\\\u0000-\u001f\u007f-\u009f\ufffd]{1,255}(?<!\s)$"
_ID_RULE = (
    "Must be 1 to 255 characters without '/', '\\', control characters, U+FFFD or surrounding white space, "
    "and not '.' or '..'."
)
_ID_REFUSED = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\ufffd\ud800-\udfff]")
_TEXT_REFUSED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?(?:([Zz])|([+ -])(\d\d):?([0-5]\d))?", re.ASCII
)


def check_id(value: str) -> str:
    """The id, if the rules of docs/api.md allow it. Raises ValidationError."""
    refused = (
        not 1 <= len(value) <= ID_MAX_LENGTH
        or value in (".", "..")
        or value != value.strip()
        or _ID_REFUSED.search(value)
    )
    if refused:
        raise ValidationError(_ID_RULE)
    return value


def check_message_id(value: str) -> int:
    """A message id as it stands in a path. Raises ValidationError."""
    if not re.fullmatch(r"\d{1,19}", value, re.ASCII) or int(value) > INT64_MAX:
        raise ValidationError("Must be an integer from 0 to 2^63 - 1.")
    return int(value)


class Id(fields.String):
    """`session_id`, `agent_id` or `multi_agent_id`."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"minLength": 1, "maxLength": ID_MAX_LENGTH, "pattern": ID_PATTERN}
        super().__init__(metadata={**metadata, **kwargs.pop("metadata", {})}, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError("Must be a string.")
        return check_id(value)


class MessageId(fields.Integer):
    """A position in a conversation; JSON integers only, no string, float or boolean that looks like one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"minimum": 0, "maximum": INT64_MAX, "format": "int64"}, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise ValidationError("Must be an integer.")
        if not 0 <= value <= INT64_MAX:
            raise ValidationError("Must be an integer from 0 to 2^63 - 1.")
        return value


class QueryInteger(fields.Integer):
    """A whole number in a query string, in decimal digits and within bounds."""

    def __init__(self, low: int, high: int, **kwargs: Any) -> None:
        self.low, self.high = low, high
        metadata = {"minimum": low, "maximum": high, **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        digits = re.fullmatch(r"-?\d{1,20}", value, re.ASCII)
        if not digits or not self.low <= int(value) <= self.high:
            raise ValidationError(f"Must be an integer from {self.low} to {self.high}.")
        return int(value)


class Text(fields.String):
    """A short text that PostgreSQL's text type can keep."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$", **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if not isinstance(value, str) or _TEXT_REFUSED.search(value):
            raise ValidationError("Must be a string without control characters.")
        return value


class Time(fields.AwareDateTime):
    """An ISO 8601 time; without an offset it is UTC. Null and "" mean the service's clock."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> datetime | None:  # type: ignore[override]
        if value == "" and self.allow_none:
            return None
        match = _TIME.fullmatch(value) if isinstance(value, str) else None
        if not match:
            raise ValidationError("Must be an ISO 8601 time such as 2026-01-31T12:00:00+00:00.")
        day, time, fraction, _, sign, hours, minutes = match.groups()
        # A bare + in a query string arrives as a blank.
        offset = f"{'-' if sign == '-' else '+'}{hours}:{minutes}" if sign else "+00:00"
        try:
            moment = datetime.fromisoformat(f"{day}T{time}.{(fraction or '').ljust(6, '0')[:6]}{offset}")
            return moment.astimezone(timezone.utc)
        except (ValueError, OverflowError):
            raise ValidationError("Is not a time between the years 1 and 9999.") from None


class Document(fields.Dict):
    """A JSON object that is kept as it is; loaded as a strict_json.Document."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"additionalProperties": True, **kwargs.pop("metadata", {})}
        super().__init__(keys=fields.String(), metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError("Must be an object.")
        return strict_json.dumps(value)


class MessageDocument(Document):
    """A message of the SDK: `role` is a text, `content` is there; all else is opaque."""

    def __init__(self, **kwargs: Any) -> None:
        properties = {"role": {"type": "string"}, "content": {}}
        super().__init__(metadata={"properties": properties, "required": ["role", "content"]}, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, dict):
            faults: dict[str, list[str]] = {}
            if not isinstance(value.get("role"), str):
                faults["role"] = ["Must be a string."]
            if "content" not in value:
                faults["content"] = ["Missing data for required field."]
            if faults:
                raise ValidationError(faults)
        return super()._deserialize(value, attr, data, **kwargs)
