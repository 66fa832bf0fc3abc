"""The blueprint that all resources use: strict bodies, checked ids, every error answer documented."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import flask_smorest
from flask import Flask, current_app, request
from werkzeug.exceptions import NotAcceptable
from werkzeug.local import LocalProxy

from ..db import Database
from ..errors import Invalid
from . import body, ids, openapi, security

F = TypeVar("F", bound=Callable[..., Any])

PREFIX = "/api/v1"

db: Database = LocalProxy(lambda: current_app.extensions["session_api_database"])  # type: ignore[assignment]


class Blueprint(flask_smorest.Blueprint):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks += [openapi.add_conditions, openapi.add_rest, self._add_security]

    def arguments(self, schema: Any, *, location: str = "json", **kwargs: Any) -> Callable[[F], F]:
        """Document the body or the query, and give the view what its schema makes of it."""
        document = super().arguments(schema, location=location, error_status_code=400, **kwargs)
        load = body.load if location == "json" else body.load_query
        instance = schema()

        def decorate(view: F) -> F:
            @wraps(view)
            def wrapper(resource: Any, **path: Any) -> Any:
                # Not by Flask's proxy, which is asked for it anew with every attribute.
                return view(resource, load(instance, request._get_current_object()), **path)  # type: ignore[attr-defined]

            wrapper._apidoc = document(view)._apidoc  # type: ignore[attr-defined]
            return cast(F, wrapper)

        return decorate

    def response(self, status_code: int, *args: Any, **kwargs: Any) -> Callable[[F], F]:
        return _documents(super().response(status_code, *args, **{"headers": openapi.HEADERS[status_code], **kwargs}))

    def alt_response(self, *args: Any, **kwargs: Any) -> Callable[[F], F]:
        return _documents(super().alt_response(*args, **kwargs))

    def doc(self, **kwargs: Any) -> Callable[[F], F]:
        return _documents(super().doc(**kwargs))

    def may_answer(self, *statuses: int) -> Callable[[F], F]:
        """Document what a view answers besides its success, and the header that goes with 226, 304 or 412."""
        responses = {status: f"Status{status}" for status in sorted({*statuses, *openapi.ALWAYS} - {226})}

        def decorate(view: F) -> F:
            resource, method = view.__qualname__.split(".")
            documented: Any = self.doc(responses=responses, operationId=f"{method}{resource}")(view)
            documented._apidoc["has_rest"] = 226 in statuses
            documented._apidoc["conditions"] = [
                openapi.CONDITIONS[status] for status in statuses if status in openapi.CONDITIONS
            ]
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


def init_app(app: Flask) -> None:
    ids.init_app(app)
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
