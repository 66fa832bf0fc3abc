"""The command `flask distribute`: spreads the tables over the servers of a Citus cluster."""

from __future__ import annotations

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from .errors import CitusMissing
from .store import distribution


def init_app(app: Flask) -> None:
    app.cli.add_command(distribute)


@click.command()
@click.option("--dry-run", is_flag=True, help="Print the SQL instead; no database is asked.")
@with_appcontext
def distribute(dry_run: bool) -> None:
    """Spread the tables over a Citus cluster, by session. What is spread already stays as it is."""
    for step in distribution.steps():
        if dry_run:
            click.echo(f"{step.sql};")
        else:
            done = _take(step)
            click.echo(f"{step.table}: {step.meaning}{'' if done else ' already'}")


def _take(step: distribution.Step) -> bool:
    engine = current_app.extensions["session_api_database"].engine
    with engine.connect().execution_options(isolation_level="READ COMMITTED") as tx:
        try:
            with tx.begin():
                return distribution.take(tx, step)
        except CitusMissing as missing:
            raise click.ClickException(str(missing)) from None
