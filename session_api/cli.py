"""The command `session-api`: runs the service on a machine with nothing but Python."""

from __future__ import annotations

import os
import signal
import sys

import click
import flask_migrate
from flask import Flask
from gunicorn.app.base import Application

from . import config, create_app, embedded, uncaught
from .errors import ConfigError
from .version import __version__


@click.group()
@click.version_option(__version__, prog_name="session-api")
def main() -> None:
    """Durable sessions for Strands agents."""


@main.command()
def serve() -> None:
    """Serve the API; without DATABASE_URL on an embedded PostgreSQL, which is started, kept and stopped with it."""
    # Until gunicorn takes the signals over; an exit stops the embedded database, a plain TERM would leave it behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        settings = config.load()
        ready = embedded.settings_with_database(settings)
    except ConfigError as error:
        uncaught.end_for(error)
    if settings.database_url is None:
        os.environ["DATABASE_URL"] = str(ready.database_url)
        click.echo(f"The data lies in {settings.session_api_data_dir} (embedded PostgreSQL).")
        _migrate()
    if settings.environment != "production":  # whose log is JSON from the first line to the last
        click.echo(f"Serving on http://{settings.api_host}:{settings.api_port} (documentation at /docs). Ctrl-C stops.")
    _Gunicorn().run()


def _migrate() -> None:
    """Bring the embedded database up to date; a database of one's own is upgraded with `flask db upgrade`."""
    app = create_app()
    with app.app_context():
        flask_migrate.upgrade()
    app.extensions["session_api_database"].dispose()


class _Gunicorn(Application):
    """gunicorn in this process, so that a signal to it reaches the workers and then stops the embedded database."""

    def load_config(self) -> None:
        self.load_config_from_module_name_or_filename("python:session_api.serving")

    def load(self) -> Flask:
        return create_app()


if __name__ == "__main__":
    main()
