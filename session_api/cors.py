"""Which pages of other origins may use the service from a browser: those that CORS_ORIGINS names."""

from __future__ import annotations

from flask import Flask, Response, request

_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, DELETE",
    "Access-Control-Allow-Headers": (
        "A-IM, Authorization, Content-Type, If-Match, If-None-Match, X-API-Key, X-Request-ID"
    ),
    "Access-Control-Max-Age": "3600",
}
_READABLE = "Delta-Base, ETag, IM, Location, Retry-After, X-Request-ID"


def init_app(app: Flask, origins: tuple[str, ...]) -> None:
    """To be called before anything that asks for a key, which a browser's preflight does not have.

    Never with Access-Control-Allow-Credentials: a page sends its key in a header, and a browser adds nothing of its
    own that the service would trust.
    """
    if not origins:
        return
    everybody = origins == ("*",)

    def is_let_in() -> bool:
        return everybody or request.headers.get("Origin") in origins

    @app.before_request
    def answer_preflight() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers or not is_let_in():
            return None
        response = Response(status=204, headers=_PREFLIGHT)
        del response.headers["Content-Type"]
        return response

    @app.after_request
    def let_in(response: Response) -> Response:
        if not everybody:
            response.vary.add("Origin")
        if is_let_in():
            response.headers["Access-Control-Allow-Origin"] = "*" if everybody else request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = _READABLE
        return response
