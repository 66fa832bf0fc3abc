"""The commands `flask keys …` and `flask tenants …`: results on standard output, words about them on standard error."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from time import sleep

import click
from flask import Flask, current_app

from . import erasure, issuing
from .config import Settings
from .db import Database
from .errors import ConfigError
from .key_table import SCOPES
from .store import api_keys, tenants
from .terminal import Group, Moment, Name, shown, table

keys = Group("keys", help="Make, list and end the keys that clients send.")
tenant_group = Group("tenants", help="List tenants, and erase them.")


def init_app(app: Flask) -> None:
    app.cli.add_command(keys)
    app.cli.add_command(tenant_group)


@keys.command()
@click.option("--tenant", required=True, type=Name(), help="Whose rows the key opens.")
@click.option("--name", required=True, type=Name(), help="What the key is for; not unique.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="One or more; all but admin if none.")
@click.option("--expires", type=Moment(), help="90d, 12h or an ISO 8601 date; never if not given.")
def create(tenant: str, name: str, scopes: tuple[str, ...], expires: datetime | None) -> None:
    """Make a key. Only now is it shown: the database keeps a hash of it."""
    chosen = [scope for scope in SCOPES if scope in scopes] or ["read", "write", "delete"]
    _show(issuing.issue(_db(), _secret(), tenant_id=tenant, name=name, scopes=chosen, expires_at=expires))


@keys.command()
@click.argument("key_id", type=Name())
@click.option("--expires", type=Moment(), help="Of the new key; if not given, it lives as long as the old one was to.")
@click.option("--expires-old", type=Moment(), help="90d, 12h or a date; if not given, the old key lives on.")
def rotate(key_id: str, expires: datetime | None, expires_old: datetime | None) -> None:
    """Make a key of the same tenant, name and scopes beside the one of this id."""
    issued = issuing.rotate(_db(), _secret(), key_id, expires_at=expires, old_until=expires_old)
    _show(issued)
    old = _db().read(api_keys.read, key_id)
    until = f"until {shown(old.expires_at)}" if old.expires_at else f"until `flask keys revoke {key_id}`"
    click.echo(f"The old key {key_id} works {until}.", err=True)


@keys.command("list")
@click.option("--tenant", type=Name(), help="Only the keys of this tenant.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def list_(tenant: str | None, as_json: bool) -> None:
    """List keys; what a key was used for last is exact to a minute."""
    found = _db().read(api_keys.list_, tenant)
    now = datetime.now(timezone.utc)
    if as_json:
        rows = [{**key._asdict(), "state": key.state(now)} for key in found]
        click.echo(json.dumps(rows, default=datetime.isoformat, indent=2))
        return
    table(
        ["KEY ID", "TENANT", "NAME", "SCOPES", "CREATED", "LAST USED", "EXPIRES", "STATE"],
        [
            [key.key_id, key.tenant_id, key.name, ",".join(key.scopes)]
            + [shown(moment) for moment in (key.created_at, key.last_used_at, key.expires_at)]
            + [key.state(now)]
            for key in found
        ],
    )


@keys.command()
@click.argument("key_id", type=Name())
def revoke(key_id: str) -> None:
    """End a key, within 10 seconds in every process."""
    key = _db().run(api_keys.revoke, key_id, datetime.now(timezone.utc))
    click.echo(f"{key_id} ({key.tenant_id}, {key.name}) is revoked since {shown(key.revoked_at)}.", err=True)


@tenant_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def list_tenants(as_json: bool) -> None:
    """List everybody who has a session or a key."""
    found = _db().read(tenants.list_)
    if as_json:
        click.echo(json.dumps([tenant._asdict() for tenant in found], indent=2))
        return
    table(["TENANT", "SESSIONS", "KEYS"], [[str(value) for value in tenant] for tenant in found])


@tenant_group.command()
@click.argument("name", type=Name())
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(name: str, yes: bool) -> None:
    """Delete every session and key of a tenant, and print a receipt."""
    if not yes:
        click.confirm(f"Delete every session and key of {name}? There is no way back.", abort=True, err=True)

    def wait(seconds: float) -> None:
        click.echo(f"A key was in use: waiting {seconds:.0f} s until no process knows it any more.", err=True)
        sleep(seconds)

    counts = erasure.erase(_db(), name, wait)
    receipt = {"tenant": name, "erased_at": datetime.now(timezone.utc), **counts}
    vacuumed = erasure.vacuum(_db(), current_app.extensions["session_api_settings"])
    click.echo(json.dumps({**receipt, "vacuumed": vacuumed}, default=datetime.isoformat))
    if not any(counts.values()):
        click.echo(f"{name} had nothing here.", err=True)
    if not vacuumed:
        click.echo("VACUUM was not possible; let the owner of the tables run it.", err=True)


def _show(issued: issuing.Issued) -> None:
    key = issued.key
    end = f"expires {shown(key.expires_at)}" if key.expires_at else "does not expire"
    click.echo(f"{key.key_id} of tenant {key.tenant_id}, {key.name}: {', '.join(key.scopes)}; {end}.", err=True)
    click.echo("This is the only time that the key is shown:", err=True)
    click.echo(issued.text)


def _db() -> Database:
    database: Database = current_app.extensions["session_api_database"]
    return database


def _secret() -> str:
    settings: Settings = current_app.extensions["session_api_settings"]
    if settings.api_key_secret is None:
        raise ConfigError({"API_KEY_SECRET": ["Must be set to make keys; only their hashes with it are stored."]})
    return settings.api_key_secrets[0]
