"""The views of one URL, by method."""

from __future__ import annotations

from flask import Response, request
from flask.views import MethodView

_VIEWS = {"GET": "get", "HEAD": "get", "POST": "post", "PUT": "put", "DELETE": "delete"}


class Resource(MethodView):
    """As Flask's, with one instance for all requests."""

    init_every_request = False

    def dispatch_request(self, **path: str | int) -> Response:
        answer: Response = getattr(self, _VIEWS[request.method])(**path)
        return answer
