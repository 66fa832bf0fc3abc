"""Makes keys: the text goes to its holder, once; the database gets what it takes to recognise it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import NamedTuple

from . import key_text
from .db import Database
from .errors import Invalid
from .key_table import ApiKey
from .store import api_keys


class Issued(NamedTuple):
    text: str
    key: ApiKey


def issue(
    database: Database,
    secret: str,
    *,
    tenant_id: str,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None = None,
) -> Issued:
    """A new key. Raises Invalid when it would have expired already."""
    text, key = _new(tenant_id, name, scopes, expires_at)
    return Issued(text, database.run(api_keys.create, key, key_text.digest(text, secret)))


def rotate(
    database: Database,
    secret: str,
    key_id: str,
    *,
    expires_at: datetime | None = None,
    old_until: datetime | None = None,
) -> Issued:
    """A new key beside the one of this id, which lives until it is revoked, or until `old_until` if that is sooner.

    Without `expires_at`, it lives for as long as the old one was to. Raises NotFound, and Invalid when the old key has
    ended already.
    """
    old = database.read(api_keys.read, key_id)
    now = datetime.now(timezone.utc)
    if old.state(now) != "valid":
        raise Invalid({key_id: [f"Is {old.state(now)}; make a new one with `flask keys create`."]})
    if expires_at is None and old.expires_at is not None:
        expires_at = now + (old.expires_at - old.created_at)
    text, key = _new(old.tenant_id, old.name, old.scopes, expires_at)
    return Issued(text, database.run(api_keys.replace, key_id, key, key_text.digest(text, secret), old_until))


def _new(tenant_id: str, name: str, scopes: Sequence[str], expires_at: datetime | None) -> Issued:
    now = datetime.now(timezone.utc)
    if expires_at is not None and expires_at <= now:
        raise Invalid({"--expires": ["Must be in the future."]})
    return Issued(key_text.new(), ApiKey(key_text.new_id(), tenant_id, name, list(scopes), now, expires_at=expires_at))
