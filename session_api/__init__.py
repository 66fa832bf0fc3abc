"""The Session Backend API: durable sessions for Strands agents over PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask_migrate import Migrate
from flask_smorest import Api

from . import (
    auth,
    commands,
    config,
    cors,
    distribute,
    embedded,
    headers,
    logs,
    models,
    problems,
    rate,
    routes,
    schemas,
    telemetry,
)
from .db import Database
from .keyring import Keyring
from .routes import agents, docs, health, messages, multi_agents, sessions
from .routes import metrics as metrics_routes
from .version import __version__
from .web import blueprint, openapi
from .web.service import Service

__all__ = ["create_app"]


def create_app(settings: config.Settings | None = None) -> Flask:
    """Wire the service together. Raises ConfigError when the environment cannot be used."""
    settings = settings or config.load()
    logs.configure(settings.log_level, settings.log_format)
    database = Database(embedded.settings_with_database(settings))

    keyring = Keyring(database, settings.api_key_secrets) if settings.auth_mode == "keys" else None
    has_docs = settings.docs_access != "off"

    app = Service(__name__, static_folder="static" if has_docs else None)
    app.config.update(
        API_TITLE="Session Backend API",
        API_VERSION=__version__,
        API_SPEC_OPTIONS={"info": {"description": routes.DESCRIPTION}},
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/" if has_docs else None,
        MAX_CONTENT_LENGTH=settings.api_max_body_bytes,
    )
    app.extensions["session_api_settings"] = settings
    app.extensions["session_api_database"] = database
    layer = telemetry.Telemetry(app.wsgi_app, logs.of_requests(settings.log_format))
    app.wsgi_app = layer  # type: ignore[method-assign]

    def tend() -> None:
        database.pool.tend()
        layer.note()

    app.extensions["session_api_tend"] = tend  # to be called every second
    headers.init_app(app, settings.proxy_count)
    cors.init_app(app, settings.cors_origins)
    auth.init_app(
        app, keyring, open_docs=settings.docs_access == "open", open_metrics=settings.metrics_access == "open"
    )
    rate.init_app(app, settings)
    blueprint.init_app(app)
    api = _Api(app)
    openapi.document(api)
    for resource in (sessions, agents, messages, multi_agents, health):
        api.register_blueprint(resource.blp)
    if has_docs:
        app.register_blueprint(docs.blp)
    if settings.metrics_access != "off":
        app.register_blueprint(metrics_routes.blp)
    problems.init_app(app)
    commands.init_app(app)
    distribute.init_app(app)
    Migrate(app, _MigrateTarget(database), directory=str(migrations_directory()))
    return app


def migrations_directory() -> Path:
    """`migrations/` of the source tree, or the copy that an installed distribution carries."""
    installed = Path(__file__).parent / "migrations"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "migrations"


class _Api(Api):
    DEFAULT_ERROR_RESPONSE_NAME = None  # every status is documented by itself
    ERROR_SCHEMA = schemas.Error


class _MigrateTarget:
    """What Flask-Migrate asks of a database; Flask-SQLAlchemy's model layer is not needed for it."""

    metadata = models.metadata

    def __init__(self, database: Database) -> None:
        self.engine = database.engine
