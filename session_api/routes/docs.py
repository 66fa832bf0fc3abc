"""The API's documentation: Swagger UI at /docs, ReDoc at /redoc; every asset comes from this service."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, abort, render_template, request, send_from_directory

blp = Blueprint("docs", __name__, template_folder="../templates")

# Holds the browser to what the contract says: whatever a page's scripts ask for, nothing is fetched from elsewhere.
# Inline styles, pictures in data: and what is compiled (ReDoc's search) come with the scripts that are served here.
ONLY_FROM_HERE = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def _folder(package: str, *parts: str) -> Path:
    """Where a package keeps its assets, found without importing it: only its files are wanted."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(package)
    return Path(spec.submodule_search_locations[0], *parts)


_SWAGGER_UI = _folder("flask_swagger_ui", "dist")
_REDOC = _folder("flask_openapi3_redoc", "templates", "redoc")

ASSETS = {
    "swagger-ui.css": _SWAGGER_UI / "swagger-ui.css",
    "swagger-ui-bundle.js": _SWAGGER_UI / "swagger-ui-bundle.js",
    "favicon-32x32.png": _SWAGGER_UI / "favicon-32x32.png",
    "logo-mini.svg": _REDOC / "images" / "redoc.svg",
}


@blp.route("/docs")
def swagger_ui() -> Response:
    return _page("swagger-ui.html")


@blp.route("/redoc")
def redoc() -> Response:
    return _page("redoc.html")


@blp.route("/docs/assets/<name>")
def asset(name: str) -> Response:
    if name not in ASSETS:
        abort(404)
    return send_from_directory(ASSETS[name].parent, ASSETS[name].name, max_age=3600)


@blp.route("/docs/assets/redoc.standalone.js")
def redoc_script() -> Response:
    """ReDoc, but its makers' logo is fetched from here instead of from their CDN."""
    script = (_REDOC / "js" / "redoc.standalone.js").read_text("utf-8")
    script = script.replace("https://cdn.redoc.ly/redoc/", f"{request.script_root}/docs/assets/")
    response = Response(script, mimetype="text/javascript")
    response.cache_control.max_age = 3600
    response.add_etag()
    response.make_conditional(request)
    return response


def _page(template: str) -> Response:
    return Response(render_template(template), headers={"Content-Security-Policy": ONLY_FROM_HERE})
