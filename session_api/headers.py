"""What every answer tells browsers, caches and proxies: keep nothing, run nothing, come back by TLS."""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",  # the documentation's pages have their own
    "Referrer-Policy": "no-referrer",
}
_ONE_YEAR = "max-age=31536000"  # for this host alone: what else the domain serves is not for us to decide


def init_app(app: Flask, proxy_count: int) -> None:
    if proxy_count:
        # Proxies append to X-Forwarded-For, but most of them replace X-Forwarded-Proto: its last value counts.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxy_count, x_proto=1)  # type: ignore[method-assign]
    app.after_request(_protect)


def _protect(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Cache-Control", "private, no-cache" if "ETag" in headers else "no-store")
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    if request.is_secure:
        headers["Strict-Transport-Security"] = _ONE_YEAR
    return response
