"""Reads request bodies and queries: whole, strict, and against a schema."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from flask import Request
from gunicorn.http.errors import ParseException
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wsgi import get_content_length

from .. import strict_json
from ..errors import Invalid


def load(schema: Schema, req: Request) -> Any:
    """What the schema makes of the body. Raises Invalid with a sentence for each field, by its path."""
    environ = req.environ
    if environ.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
        raise UnsupportedMediaType
    if environ.get("CONTENT_TYPE") != "application/json" and not req.is_json:
        raise UnsupportedMediaType
    most = req.max_content_length or strict_json.LARGEST
    body = strict_json.loads(_read(req, most), most)
    if isinstance(body, dict):
        _check_against_path(body, req.view_args or {})
    return _loaded(schema, body)


def load_query(schema: Schema, req: Request) -> Mapping[str, Any]:
    """The same of the query; of a name that is given twice, the first counts."""
    return _query(schema, req.query_string)


@lru_cache(maxsize=256)  # of few kinds; one that is refused is not kept
def _query(schema: Schema, query: bytes) -> Mapping[str, Any]:
    return MappingProxyType(_loaded(schema, Request({"QUERY_STRING": query.decode("latin-1")}).args.to_dict()))


def _loaded(schema: Schema, given: Any) -> Any:
    try:
        return schema.load(given)
    except ValidationError as error:
        raise Invalid(dict(_flatten("", error.messages))) from None


def _read(req: Request, most: int) -> bytes:
    """The whole body. Raises Invalid when the sender stopped early, which gunicorn does not report."""
    length = get_content_length(req.environ)
    try:
        if length is None:
            body: bytes = req.get_data(cache=False)
        elif length > most:
            raise RequestEntityTooLarge
        else:
            body = req.environ["wsgi.input"].read(length)
    except (ParseException, OSError):
        raise Invalid({"body": ["Is not a well-formed chunked body."]}) from None
    if length is None and len(body) >= most:
        raise RequestEntityTooLarge  # a chunked body is cut silently at the limit
    if length is not None and len(body) != length:
        raise Invalid({"body": [f"Is cut short: {len(body)} of {length} bytes arrived."]})
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
