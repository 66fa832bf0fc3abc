"""Flask without what it does for every request and nothing here needs: coroutines, hosts and subdomains, cookies."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from flask import Flask, Request
from flask.ctx import RequestContext
from flask.sessions import NullSession, SessionInterface
from werkzeug.exceptions import HTTPException
from werkzeug.routing import MapAdapter, Rule

# Paths that are remembered: an agent asks for few different ones, again and again. A megabyte or two, since long ones,
# which anybody can make up without a key, are not.
_PATHS, _LONGEST = 2048, 250


class Service(Flask):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.session_interface = _NoCookies()
        self.match = lru_cache(_PATHS)(self._match)

    def ensure_sync(self, func: Any) -> Any:
        return func

    def request_context(self, environ: dict[str, Any]) -> RequestContext:
        return _Context(self, environ)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        if request is None:
            return super().create_url_adapter(None)
        script = request.environ.get("SCRIPT_NAME", "")
        return MapAdapter(self.url_map, "", script, "", request.scheme, request.path, request.method)

    def _match(self, method: str, path: str) -> tuple[Rule, Mapping[str, Any]]:
        return MapAdapter(self.url_map, "", "", "", "http", path, method).match(return_rule=True)


class _Context(RequestContext):
    app: Service

    def match_request(self) -> None:
        request = self.request
        match = self.app.match if len(request.path) <= _LONGEST else self.app._match
        try:
            rule, arguments = match(request.method, request.path)
        except HTTPException:
            super().match_request()  # so that what it says is of this very request
        else:
            request.url_rule, request.view_args = rule, {**arguments}


class _NoCookies(SessionInterface):
    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._none
