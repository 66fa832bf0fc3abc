"""The blueprint that all resources use: strict bodies, checked ids, every error answer documented."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import flask_smorest
from flask import Flask, current_app, request
from marshmallow import ValidationError
from werkzeug.exceptions import NotAcceptable
from werkzeug.local import LocalProxy
from werkzeug.routing import BaseConverter

from .. import schemas
from ..db import Database
from ..errors import Invalid
from ..examples import ERRORS
from ..problems import InvalidPath
from . import answers, body, security

F = TypeVar("F", bound=Callable[..., Any])

PREFIX = "/api/v1"

# What any route of the API can answer.
ALWAYS = (401, 403, 406, 429, 500, 503)

db: Database = LocalProxy(lambda: current_app.extensions["session_api_database"])  # type: ignore[assignment]


def _condition(name: str, description: str, **schema: Any) -> dict[str, Any]:
    # No example: Swagger UI would send it with every request that is tried out.
    return {"in": "header", "name": name, "description": description, "schema": {"type": "string", **schema}}


CONDITIONS = {
    226: _condition(
        "A-IM",
        "With `feed`, and the ETag of the list in If-None-Match: answer 226 with only the rows behind those that the "
        "ETag stands for, as long as these are what they were (RFC 3229).",
    ),
    304: _condition("If-None-Match", 'Answer 304 when the stored ETag is one of these, such as "5f3a".'),
    412: _condition(
        "If-Match",
        'Answer 412 unless the stored ETag is one of these, such as "5f3a".',
        pattern=answers.CONDITION_PATTERN,
    ),
}


def _header(description: str, **schema: Any) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string", **schema}}


REQUEST_ID = {"X-Request-ID": _header("The id of the request, as in the log.")}
TAGGED = {**REQUEST_ID, "ETag": _header("The version of what is stored.")}
ERROR_HEADERS = {
    401: {"WWW-Authenticate": _header("How to send a key.", const="Bearer")},
    429: {"Retry-After": _header("In seconds.")},
    503: {"Retry-After": _header("In seconds.")},
}
HEADERS = {
    200: TAGGED,
    226: {
        **TAGGED,
        "ETag": _header("Of the whole list: of what is known and what is new."),
        "IM": _header("What was done to it.", const="feed"),
        "Delta-Base": _header("The ETag of If-None-Match, whose rows come before these."),
    },
    201: {**TAGGED, "Location": _header("Where the resource is.", format="uri-reference")},
    204: REQUEST_ID,
}


class IdConverter(BaseConverter):
    """One segment that must be an id; what isn't one is a 400 that says why, not a missing route."""

    name: str

    def to_python(self, value: str) -> str:
        try:
            return schemas.check_id(value)
        except ValidationError as error:
            raise InvalidPath(Invalid({self.name: [str(text) for text in error.messages]})) from None


class SessionIdConverter(IdConverter):
    name = "session_id"


class AgentIdConverter(IdConverter):
    name = "agent_id"


class MultiAgentIdConverter(IdConverter):
    name = "multi_agent_id"


class MessageIdConverter(BaseConverter):
    def to_python(self, value: str) -> int:
        try:
            return schemas.check_message_id(value)
        except ValidationError as error:
            raise InvalidPath(Invalid({"message_id": [str(text) for text in error.messages]})) from None


IDS = (SessionIdConverter, AgentIdConverter, MultiAgentIdConverter)


class Blueprint(flask_smorest.Blueprint):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks += [_add_conditions, _add_rest, self._add_security]

    def arguments(self, schema: Any, *, location: str = "json", **kwargs: Any) -> Callable[[F], F]:
        """Document the body or the query, and give the view what its schema makes of it."""
        document = super().arguments(schema, location=location, error_status_code=400, **kwargs)
        load = body.load if location == "json" else body.load_query
        instance = schema()

        def decorate(view: F) -> F:
            @wraps(view)
            def wrapper(resource: Any, **path: Any) -> Any:
                return view(resource, load(instance, request), **path)

            wrapper._apidoc = document(view)._apidoc  # type: ignore[attr-defined]
            return cast(F, wrapper)

        return decorate

    def response(self, status_code: int, *args: Any, **kwargs: Any) -> Callable[[F], F]:
        return _documents(super().response(status_code, *args, **{"headers": HEADERS[status_code], **kwargs}))

    def alt_response(self, *args: Any, **kwargs: Any) -> Callable[[F], F]:
        return _documents(super().alt_response(*args, **kwargs))

    def doc(self, **kwargs: Any) -> Callable[[F], F]:
        return _documents(super().doc(**kwargs))

    def may_answer(self, *statuses: int) -> Callable[[F], F]:
        """Document what a view answers besides its success, and the header that goes with 226, 304 or 412."""
        responses = {status: f"Status{status}" for status in sorted({*statuses, *ALWAYS} - {226})}

        def decorate(view: F) -> F:
            resource, method = view.__qualname__.split(".")
            documented: Any = self.doc(responses=responses, operationId=f"{method}{resource}")(view)
            documented._apidoc["has_rest"] = 226 in statuses
            documented._apidoc["conditions"] = [CONDITIONS[status] for status in statuses if status in CONDITIONS]
            return cast(F, documented)

        return decorate

    def _add_security(
        self, doc: dict[str, Any], doc_info: dict[str, Any], *, app: Flask, method: str, **_: Any
    ) -> dict[str, Any]:
        doc["security"] = security.requirements(app, method, self.url_prefix or "")
        return doc


def _documents(decorator: Callable[[F], Any]) -> Callable[[F], F]:
    """What flask-smorest's decorator says of a view, and nothing around it: views make their answers themselves."""

    def decorate(view: F) -> F:
        view._apidoc = decorator(view)._apidoc  # type: ignore[attr-defined]
        return view

    return decorate


def _add_conditions(doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Not by `Blueprint.doc`, which would replace the parameters that `arguments` found."""
    if conditions := doc_info.get("conditions"):
        doc["parameters"] = [*doc.get("parameters", []), *conditions]
    return doc


def _add_rest(doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
    """226 looks like 200, whose schema is known only here."""
    if doc_info.get("has_rest"):
        description = "Only what is new: the rows behind those that If-None-Match stands for."
        doc["responses"][226] = {**doc["responses"][200], "description": description, "headers": HEADERS[226]}
    return doc


def init_app(app: Flask) -> None:
    for converter in IDS:
        app.url_map.converters[converter.name] = converter
    app.url_map.converters["message_id"] = MessageIdConverter
    # /sessions//agents must not turn into /sessions/agents, the session of that name.
    app.url_map.merge_slashes = False
    app.before_request(_check_head)


def _check_head() -> None:
    environ = request.environ
    # What nearly all send is not parsed: that costs more than all else that is done before a view.
    if environ.get("HTTP_ACCEPT", "*/*") not in ("*/*", "application/json"):
        accepted = request.accept_mimetypes
        if request.path.startswith("/api/") and accepted and not accepted["application/json"]:
            raise NotAcceptable
    uri = environ.get("RAW_URI", "")
    if "%" in uri:
        # WSGI decodes a path before it is routed: an id with %2F in it would name another resource.
        path = uri.partition("?")[0].lower()
        if "%2f" in path or "%5c" in path:
            raise Invalid({"path": ["Must not contain an encoded slash or backslash; ids have none."]})


def document(api: flask_smorest.Api) -> None:
    """Describe the answers and path parameters that all blueprints share."""
    for status, (description, example) in ERRORS.items():
        api.spec.components.response(
            f"Status{status}",
            {
                "description": description,
                "headers": {**REQUEST_ID, **ERROR_HEADERS.get(status, {})},
                "content": {"application/json": {"schema": schemas.Error, "example": example}},
            },
        )
    for name, scheme in security.SCHEMES.items():
        api.spec.components.security_scheme(name, scheme)
    unchanged = {"description": "What If-None-Match names is still what is stored.", "headers": TAGGED}
    api.spec.components.response("Status304", unchanged)
    api.spec.components.schemas.pop("PaginationMetadata", None)  # flask-smorest's own, which nothing here uses
    string = {"type": "string", "minLength": 1, "maxLength": schemas.ID_MAX_LENGTH, "pattern": schemas.ID_PATTERN}
    integer = {"type": "integer", "format": "int64", "minimum": 0, "maximum": schemas.INT64_MAX}
    for converter in IDS:
        api.register_converter(converter, lambda converter: string)
    api.register_converter(MessageIdConverter, lambda converter: integer)
