"""The API's documentation: Swagger UI at /docs, ReDoc at /redoc; every asset comes from this service."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, abort, render_template, send_from_directory

blp = Blueprint("docs", __name__, template_folder="../templates")


def _folder(package: str, *parts: str) -> Path:
    """Where a package keeps its assets, found without importing it: only its files are wanted."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(package)
    return Path(spec.submodule_search_locations[0], *parts)


ASSETS = {
    "swagger-ui.css": _folder("flask_swagger_ui", "dist"),
    "swagger-ui-bundle.js": _folder("flask_swagger_ui", "dist"),
    "favicon-32x32.png": _folder("flask_swagger_ui", "dist"),
    "redoc.standalone.js": _folder("flask_openapi_redoc", "templates", "redoc", "js"),
}


@blp.route("/docs")
def swagger_ui() -> str:
    return render_template("swagger-ui.html")


@blp.route("/redoc")
def redoc() -> str:
    return render_template("redoc.html")


@blp.route("/docs/assets/<name>")
def asset(name: str) -> Response:
    if name not in ASSETS:
        abort(404)
    return send_from_directory(ASSETS[name], name, max_age=3600)
