"""The one translation of failures into HTTP answers: every error, whoever raised it, leaves in one shape."""

from __future__ import annotations

import json
import traceback
from datetime import datetime, timezone

from flask import Flask, Response
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from . import call, render
from .errors import (
    CallerGone,
    Conflict,
    DatabaseUnavailable,
    Details,
    Failure,
    Forbidden,
    Invalid,
    NotFound,
    NotModified,
    PreconditionFailed,
    RateLimited,
    Unauthenticated,
)

STATUS: dict[type[Failure], tuple[int, str]] = {
    Invalid: (400, "ValidationError"),
    Unauthenticated: (401, "AuthenticationError"),
    Forbidden: (403, "AuthorizationError"),
    NotFound: (404, "NotFoundError"),
    Conflict: (409, "ConflictError"),
    PreconditionFailed: (412, "PreconditionFailed"),
    RateLimited: (429, "RateLimited"),
    CallerGone: (499, "ClientClosedRequest"),  # as nginx logs it; no client sees it
    DatabaseUnavailable: (503, "DatabaseUnavailable"),
}

_HTTP = {
    400: ("ValidationError", "The request could not be read."),
    404: ("NotFoundError", "There is no such route."),
    405: ("MethodNotAllowed", "The route does not know this method."),
    406: ("NotAcceptable", "Answers are application/json; the Accept header must allow it."),
    408: ("RequestTimeout", "The body did not arrive in time."),
    413: ("PayloadTooLarge", "The body is larger than this service accepts."),
    415: ("UnsupportedMediaType", "The body must be application/json, not compressed."),
}


class InvalidPath(HTTPException):
    """Carries a failure out of a URL converter, which werkzeug lets only its own exceptions leave."""

    code = 400

    def __init__(self, failure: Invalid) -> None:
        super().__init__()
        self.failure = failure


def init_app(app: Flask) -> None:
    """To be called after flask-smorest, whose handler for HTTPException would win otherwise."""
    app.register_error_handler(Failure, of_failure)
    app.register_error_handler(NotModified, _not_modified)
    app.register_error_handler(InvalidPath, lambda error: of_failure(error.failure))
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, _defect)


def of_failure(error: Failure) -> Response:
    """The answer to a failure that has a status."""
    _fail(error)
    status, name = next(known for kind, known in STATUS.items() if isinstance(error, kind))
    response = _response(status, name, error.message, error.details)
    if isinstance(error, (DatabaseUnavailable, RateLimited)):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _not_modified(answer: NotModified) -> Response:
    response = Response(status=304)
    response.set_etag(render.etag(answer.version))
    return response


def _http_exception(error: HTTPException) -> Response | HTTPException:
    status = error.code or 500
    if status < 400:
        return error
    if status >= 500:
        return _defect(error)
    name, message = _HTTP.get(status, (error.name.replace(" ", ""), error.name + "."))
    details: Details | None = None
    if status == 404:
        details = {"resource": "route"}
    elif status == 400:
        details = {"body": [message]}
    response = _response(status, name, message, details)
    if "Allow" in error.get_response().headers:
        response.headers["Allow"] = error.get_response().headers["Allow"]
    return response


def _defect(error: Exception) -> Response:
    """A defect of ours: the log line says what it was, the answer does not."""
    _fail(error)
    return _response(
        500, "InternalServerError", "The service failed; its log has the cause under this request id.", None
    )


def _fail(error: Exception) -> None:
    """Remember the error for the log, without what the functions that it left were working on: some libraries tie an
    error to itself, and a large body would stay until the garbage is collected.
    """
    call.current().failure = error
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__context__


def of_status(status: int, reason: str, request_id: str) -> str:
    """The body of an error that is known by its status and its reason only, because Flask never saw the request."""
    name = _HTTP[status][0] if status in _HTTP else HTTP_STATUS_CODES[status].replace(" ", "")
    return _body(name, f"{reason}.", {"request": [f"{reason}."]} if status == 400 else None, request_id)


def _response(status: int, name: str, message: str, details: Details | None) -> Response:
    return Response(_body(name, message, details, call.current().request_id), status, mimetype="application/json")


def _body(name: str, message: str, details: Details | None, request_id: str) -> str:
    body = {
        "error": name,
        "message": message,
        "details": details,
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "request_id": request_id,
    }
    # ensure_ascii, so that an id with a lone surrogate in it can be quoted back.
    return json.dumps(body)
