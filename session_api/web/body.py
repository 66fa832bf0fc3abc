"""Reads request bodies and queries: whole, strict, and against a schema."""

from __future__ import annotations

from typing import Any, NoReturn

from flask import Request
from gunicorn.http.errors import ParseException
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from .. import strict_json
from ..errors import Invalid


class Parser(FlaskParser):
    """The parser behind `@blp.arguments`; raises Invalid with a sentence for each field, by its path."""

    DEFAULT_VALIDATION_STATUS = 400

    def load_json(self, req: Request, schema: Schema) -> Any:
        if not req.is_json or req.headers.get("Content-Encoding", "identity") != "identity":
            raise UnsupportedMediaType
        body = strict_json.loads(_read(req))
        if isinstance(body, dict):
            _check_against_path(body, req.view_args or {})
        return body

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **kwargs: Any) -> NoReturn:
        (messages,) = error.messages_dict.values()  # webargs puts them under the name of the location
        raise Invalid(dict(_flatten("", messages))) from None


def _read(req: Request) -> bytes:
    """The whole body. Raises Invalid when the sender stopped early, which gunicorn does not report."""
    try:
        body = req.get_data(cache=False)
    except (ParseException, OSError):
        raise Invalid({"body": ["Is not a well-formed chunked body."]}) from None
    if req.content_length is None and len(body) >= (req.max_content_length or 0):
        raise RequestEntityTooLarge  # a chunked body is cut silently at the limit
    if req.content_length is not None and len(body) != req.content_length:
        raise Invalid({"body": [f"Is cut short: {len(body)} of {req.content_length} bytes arrived."]})
    return body


def _check_against_path(body: dict[str, Any], path: dict[str, Any]) -> None:
    faults = {
        name: ["Must be the id in the path."]
        for name, value in path.items()
        if name in body and (type(body[name]) is not type(value) or body[name] != value)
    }
    if faults:
        raise Invalid(faults)


def _flatten(path: str, messages: Any) -> list[tuple[str, list[str]]]:
    """marshmallow's nested messages as sentences by dotted path."""
    if not isinstance(messages, dict):
        return [(path or "body", messages if isinstance(messages, list) else [str(messages)])]
    found: list[tuple[str, list[str]]] = []
    for name, inner in messages.items():
        part = path if name == "_schema" else f"{path}.{name}" if path else str(name)
        found.extend(_flatten(part, inner))
    return found


PARSER = Parser()
