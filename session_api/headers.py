"""What every answer tells browsers, caches and proxies: keep nothing, run nothing, come back by TLS."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

# The documentation's pages have a policy of their own.
_ALWAYS = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
]
# For this host alone: what else the domain serves is not for us to decide.
_ONE_YEAR = ("Strict-Transport-Security", "max-age=31536000")


def init_app(app: Flask, proxy_count: int) -> None:
    if proxy_count:
        # Proxies append to X-Forwarded-For, but most of them replace X-Forwarded-Proto: its last value counts.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxy_count, x_proto=1)  # type: ignore[method-assign]


def add(head: list[tuple[str, str]], request_id: str, scheme: str) -> None:
    """Complete the head of an answer to a request that came by this scheme; what it has already stays."""
    given = {name for name, _ in head}
    head.append(("X-Request-ID", request_id))
    if "Cache-Control" not in given:
        head.append(("Cache-Control", "private, no-cache" if "ETag" in given else "no-store"))
    head.extend(field for field in _ALWAYS if field[0] not in given)
    if scheme == "https":
        head.append(_ONE_YEAR)
