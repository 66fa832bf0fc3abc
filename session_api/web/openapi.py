"""What the API's documentation says of all resources: ids, conditions, headers, errors."""

from __future__ import annotations

from typing import Any

import flask_smorest

from .. import fields, schemas
from ..examples import ERRORS
from . import answers, ids, security

# What any route of the API can answer.
ALWAYS = (401, 403, 406, 429, 500, 503)


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


def add_conditions(doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Not by `Blueprint.doc`, which would replace the parameters that `arguments` found."""
    if conditions := doc_info.get("conditions"):
        doc["parameters"] = [*doc.get("parameters", []), *conditions]
    return doc


def add_rest(doc: dict[str, Any], doc_info: dict[str, Any], **_: Any) -> dict[str, Any]:
    """226 looks like 200, whose schema is known only here."""
    if doc_info.get("has_rest"):
        description = "Only what is new: the rows behind those that If-None-Match stands for."
        doc["responses"][226] = {**doc["responses"][200], "description": description, "headers": HEADERS[226]}
    return doc


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
    string = {"type": "string", "minLength": 1, "maxLength": fields.ID_MAX_LENGTH, "pattern": fields.ID_PATTERN}
    integer = {"type": "integer", "format": "int64", "minimum": 0, "maximum": fields.INT64_MAX}
    for converter in ids.IDS:
        api.register_converter(converter, lambda converter: string)
    api.register_converter(ids.MessageIdConverter, lambda converter: integer)
